import { expect, Scenario } from "../stage";
import { AUTH_SITE, AuthStack, MINI, NAMESPACE } from "./auth-stack";

const RATE_PER_SECOND = 50;
const SECONDS = 60;
const AT_ONCE = 200;

/** How much later the half of the answers may come because of the proxy, in milliseconds. */
const ADDED_MS = 5;

/**
 * Asks Ray's dashboard, through the proxy and without it by turns, at fixed times whatever has been answered; then many
 * times at once, first as somebody whom the proxy has never seen. Prints how it went, times in milliseconds.
 */
const LOAD = `
import asyncio, json, statistics, time
import aiohttp

tokens = TOKENS
rate, seconds, at_once = ${RATE_PER_SECOND}, ${SECONDS}, ${AT_ONCE}
ways = {"proxy": "http://127.0.0.1:8265/api/version", "direct": "http://127.0.0.1:8443/api/version"}
limit = aiohttp.ClientTimeout(total=30)

async def ask(session, way, token, at):
    await asyncio.sleep(at - time.perf_counter())
    try:
        async with session.get(ways[way], headers={"Authorization": "Bearer " + token}) as answer:
            await answer.read()
            status = str(answer.status)
    except Exception as error:
        status = repr(error)
    return way, status, (time.perf_counter() - at) * 1000

def summary(results, way):
    times = sorted(taken for name, _, taken in results if name == way)
    statuses = {}
    for name, status, _ in results:
        if name == way:
            statuses[status] = statuses.get(status, 0) + 1
    return {
        "statuses": statuses,
        "median": round(statistics.median(times), 2),
        "p99": round(times[int(len(times) * 0.99)], 2),
        "longest": round(times[-1], 2),
    }

async def steady():
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=limit) as session:
        start = time.perf_counter() + 1
        return await asyncio.gather(*(
            ask(session, way, tokens[0], start + (number + shift) / rate)
            for number in range(rate * seconds)
            for way, shift in (("proxy", 0), ("direct", 0.5))
        ))

async def burst(way, token):
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=limit) as session:
        start = time.perf_counter() + 0.5
        return await asyncio.gather(*(ask(session, way, token, start) for _ in range(at_once)))

async def main():
    unseen = await burst("proxy", tokens[1])
    seen = await burst("proxy", tokens[1])
    direct = await burst("direct", tokens[1])
    results = await steady()
    print(json.dumps({
        "proxy": summary(results, "proxy"),
        "direct": summary(results, "direct"),
        "unseen burst": summary(unseen, "proxy"),
        "burst": summary(seen, "proxy"),
        "direct burst": summary(direct, "direct"),
    }))

asyncio.run(main())
`;

interface Summary {
  readonly statuses: Readonly<Record<string, number>>;
  readonly median: number;
}

export const authLoad: Scenario = {
  name: "auth-load",
  title: `the proxy as it is shipped takes ${RATE_PER_SECOND} requests a second and ${AT_ONCE} at once`,
  needs: ["pods", "terraform"],
  long: true,
  async run(stage) {
    const site = await stage.site(AUTH_SITE);
    await site.startOperator(0).ready;
    stage.step("apply");
    const terraform = await site.terraform(synthesizeLoad());
    await terraform.apply();
    const ray = stage.ray(NAMESPACE, MINI);
    await ray.waitForHead();
    stage.step("load");
    const shell = stage.userShell();
    const account = { namespace: NAMESPACE, name: "ray-user" };
    const tokens = [await shell.tokenOf(account), await shell.tokenOf(account)];
    const printed = await ray.python(LOAD.replace("TOKENS", JSON.stringify(tokens)));
    const results = JSON.parse(printed) as Record<string, Summary>;
    stage.step(JSON.stringify(results));

    const count = RATE_PER_SECOND * SECONDS;
    for (const [what, { statuses }] of Object.entries(results)) {
      const expected = what.includes("burst") ? AT_ONCE : count;
      expect(statuses["200"] === expected, `not every request of ${what} was answered`, results);
    }
    const added = results.proxy.median - results.direct.median;
    expect(added <= ADDED_MS, `the proxy adds ${added} ms`, results);
    const [head] = await ray.list("head");
    const [proxy] = head.status.initContainerStatuses;
    expect(proxy.restartCount === 0, "the proxy was restarted", proxy);
    await terraform.destroy();
  },
};

function synthesizeLoad(): string {
  const stack = new AuthStack();
  stack.proxy(stack.rayCluster(MINI), { submitterServiceAccountName: "ray-user" });
  return stack.synthesize();
}
