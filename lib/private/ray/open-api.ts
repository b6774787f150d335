import { Annotations } from "cdktf";
import type { IRayCluster } from "../../contracts/ray-cluster";

/** The Ray clusters whose callers a proxy asks who they are. */
const guarded = new WeakSet<IRayCluster>();

/** Notes that a proxy stands in front of a Ray cluster. */
export function noteGuard(ray: IRayCluster): void {
  guarded.add(ray);
}

/**
 * Warns, once the tree is complete, that nobody asks who uses a Ray cluster. Ray asks by itself from 2.61 on unless
 * `RAY_AUTH_MODE` is `disabled`, which it is here unless something else is said.
 */
export function warnOfOpenApi(ray: IRayCluster): void {
  ray.node.addValidation({
    validate: () => {
      if (!guarded.has(ray)) {
        Annotations.of(ray).addWarning(
          `nobody asks who uses the Ray cluster ${JSON.stringify(ray.rayClusterName)}: its pods have RAY_AUTH_MODE=disabled, which from Ray 2.61 on turns a default off, and whoever reaches their ports runs code as they do. Add a RayAuthProxy or set 'authOptions'; to have it so, set RAY_AUTH_MODE in 'head.env'`,
        );
      }
      return [];
    },
  });
}
