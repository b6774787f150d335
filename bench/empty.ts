import { App, TerraformStack } from "cdktf";

/** What cdktf itself costs: the floor that the platform is measured against. */
const app = new App();
new TerraformStack(app, "empty");
app.synth();
