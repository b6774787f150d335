import type { Scenario } from "../stage/stage";
import { auth } from "./auth";
import { authLoad } from "./auth-load";
import { authModes } from "./auth-modes";
import { autoscalerBounds } from "./autoscaler-bounds";
import { bucketFolders } from "./bucket-folders";
import { cli } from "./cli";
import { faults } from "./faults";
import { growth } from "./growth";
import { hostileAutoscaler, hostileAutoscalerControl } from "./hostile-autoscaler";
import { hostileJob, hostileJobControl } from "./hostile-job";
import { identity } from "./identity";
import { lostHead } from "./lost-head";
import { networkPolicy } from "./network-policy";
import { order } from "./order";
import { proxyMove } from "./proxy-move";
import { privateSources } from "./private-sources";
import { deletionProtection } from "./protection";
import { rayChanges } from "./ray-changes";
import { rayJobs } from "./ray-jobs";
import { rendered } from "./rendered";
import { savedPlan } from "./saved-plan";
import { skypilot } from "./skypilot";
import { skypilotClient } from "./skypilot-client";
import { skypilotRules } from "./skypilot-rules";
import { stacks } from "./stacks";
import { tenants } from "./tenants";
import { upgrade } from "./upgrade";

/** Every scenario, in the order in which they run. */
export const scenarios: readonly Scenario[] = [
  rendered,
  ...stacks,
  cli,
  identity,
  order,
  auth,
  networkPolicy,
  deletionProtection,
  hostileJob,
  hostileJobControl,
  hostileAutoscaler,
  hostileAutoscalerControl,
  ...faults,
  ...savedPlan,
  ...tenants,
  upgrade,
  growth,
  autoscalerBounds,
  rayChanges,
  bucketFolders,
  lostHead,
  privateSources,
  authModes,
  authLoad,
  proxyMove,
  rayJobs,
  skypilot,
  skypilotClient,
  skypilotRules,
];
