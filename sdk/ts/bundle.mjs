// Bundles the client and the example's page script for browsers that load no modules.
import { build } from "esbuild";

const options = { bundle: true, minify: true, target: "es2022", legalComments: "none" };
await build({ ...options, entryPoints: ["dist/index.js"], format: "esm", outfile: "dist/light.min.js" });
await build({ ...options, entryPoints: ["example/page.js"], format: "iife", outfile: "dist/example/page.js" });
