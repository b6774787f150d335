import { setTimeout as sleep } from "node:timers/promises";
import { proxyNamespace } from "../stage/proxy-pods";
import { expect, Scenario, Stage } from "../stage/stage";
import { RAY_VERSION } from "../tools/versions";
import { neighbourRuns, startNeighbour } from "./support/auth-ports";
import { AUTH_SITE, AuthStack, MINI, NAMESPACE } from "./support/auth-stack";

/** Where the callers are, who may reach the head's port as well. */
const CALLERS = "callers";

const RATE_PER_SECOND = 50;
const SECONDS = 60;
const AT_ONCE = 200;

/** How much later the half of the answers may come because of the proxy, in milliseconds. */
const ADDED_MS = 3;

/** How long it is asked while a proxy is killed. */
const KILL_SECONDS = 15;

/**
 * Asks Ray's dashboard, through the proxy and without it by turns, at fixed times whatever has been answered; then many
 * times at once, first as somebody whom the proxy has never seen. Prints how it went, times in milliseconds.
 */
const LOAD = `
import asyncio, json, statistics, time
import aiohttp

tokens = TOKENS
rate, seconds, at_once = ${RATE_PER_SECOND}, ${SECONDS}, ${AT_ONCE}
ways = {
    "proxy": "http://${MINI}-proxy.${proxyNamespace(NAMESPACE)}.svc.cluster.local:8265/api/version",
    "direct": "http://${MINI}-head-svc.${NAMESPACE}.svc.cluster.local:8265/api/version",
}
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

/**
 * Asks at a steady rate through the proxy, each time by a connection of its own, and prints how each call ended that was not
 * answered well, with the times between which it was under way.
 */
const STEADY = `
import asyncio, json, time
import aiohttp

token = TOKEN
url = "http://${MINI}-proxy.${proxyNamespace(NAMESPACE)}.svc.cluster.local:8265/api/version"

async def ask(session, at):
    await asyncio.sleep(at - time.perf_counter())
    sent = time.perf_counter()
    try:
        async with session.get(url, headers={"Authorization": "Bearer " + token}) as answer:
            await answer.read()
            status = str(answer.status)
    except Exception as error:
        status = repr(error)
    return {"status": status, "sent": sent, "ended": time.perf_counter()}

async def main():
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as session:
        start = time.perf_counter() + 1
        calls = await asyncio.gather(*(
            ask(session, start + number / ${RATE_PER_SECOND}) for number in range(${RATE_PER_SECOND * KILL_SECONDS})
        ))
    print(json.dumps({
        "answered": sum(call["status"] == "200" for call in calls),
        "failed": [call for call in calls if call["status"] != "200"],
    }))

asyncio.run(main())
`;

interface Summary {
  readonly statuses: Readonly<Record<string, number>>;
  readonly median: number;
}

/** Times in seconds on one clock. */
interface FailedCall {
  readonly status: string;
  readonly sent: number;
  readonly ended: number;
}

/** For how long the node may still send calls to a pod that has ended: until kube-proxy has heard of it. */
const UNHEARD_SECONDS = 0.1;

export const authLoad: Scenario = {
  name: "auth-load",
  title: `the proxy as it is shipped takes ${RATE_PER_SECOND} requests a second and ${AT_ONCE} at once, and one of it may go`,
  needs: ["pods", "terraform"],
  long: true,
  async run(stage) {
    const site = await stage.site(AUTH_SITE);
    await site.startOperator(0).ready;
    await stage.node.kubectl(["create", "namespace", CALLERS]);
    stage.step("apply");
    const terraform = await site.terraform(synthesizeLoad());
    await terraform.apply();
    await stage.ray(NAMESPACE, MINI).waitForHead();
    await startNeighbour(stage, CALLERS, `rayproject/ray:${RAY_VERSION}`);
    const shell = stage.userShell();
    const account = { namespace: NAMESPACE, name: "ray-user" };
    const tokens = [await shell.tokenOf(account), await shell.tokenOf(account)];
    stage.step("load");
    await expectLoad(stage, tokens);
    for (const how of [["--force", "--grace-period=0"], []]) {
      stage.step(`a proxy is deleted ${how.join(" ")}`);
      await expectOneMayGo(stage, tokens[0], how);
    }
    await terraform.destroy();
    await stage.node.kubectl(["delete", "namespace", CALLERS]);
  },
};

async function expectLoad(stage: Stage, tokens: readonly string[]): Promise<void> {
  const printed = await neighbourRuns(stage, CALLERS, LOAD.replace("TOKENS", JSON.stringify(tokens)));
  const results = JSON.parse(printed) as Record<string, Summary>;
  stage.step(JSON.stringify(results));
  const count = RATE_PER_SECOND * SECONDS;
  for (const [what, { statuses }] of Object.entries(results)) {
    const expected = what.includes("burst") ? AT_ONCE : count;
    expect(statuses["200"] === expected, `not every request of ${what} was answered`, results);
  }
  const added = results.proxy.median - results.direct.median;
  expect(added <= ADDED_MS, `the proxy adds ${added} ms`, results);
  for (const { status } of await stage.proxy(proxyNamespace(NAMESPACE), MINI).list()) {
    const [proxy] = status.containerStatuses;
    expect(proxy.restartCount === 0, "a proxy was restarted", proxy);
  }
}

/** Only calls fail that were under way, or that the node still sent to the pod: nothing fails later. */
async function expectOneMayGo(stage: Stage, token: string, how: readonly string[]): Promise<void> {
  const proxies = stage.proxy(proxyNamespace(NAMESPACE), MINI);
  await proxies.waitForReady(2);
  const [first] = await proxies.list();
  const asking = neighbourRuns(stage, CALLERS, STEADY.replace("TOKEN", JSON.stringify(token)));
  await sleep((KILL_SECONDS * 1000) / 2);
  await stage.node.kubectl(["delete", "pod", "-n", proxyNamespace(NAMESPACE), first.metadata.name, ...how]);
  const { answered, failed } = JSON.parse(await asking) as { answered: number; failed: FailedCall[] };
  stage.step(JSON.stringify({ answered, failed }));
  expect(answered + failed.length === RATE_PER_SECOND * KILL_SECONDS, "not every call was made", answered);
  const lastSent = Math.max(...failed.map(({ sent }) => sent));
  const firstEnd = Math.min(...failed.map(({ ended }) => ended));
  expect(
    failed.length === 0 || lastSent <= firstEnd + UNHEARD_SECONDS,
    "calls failed after the node had heard that the proxy went",
    failed,
  );
  await proxies.waitForReady(2);
}

function synthesizeLoad(): string {
  const stack = new AuthStack();
  const ray = stack.rayCluster(MINI, { networkPeers: [{ namespace: CALLERS, ports: [8265] }] });
  stack.proxy(ray, { submitterServiceAccountName: "ray-user" });
  return stack.synthesize();
}
