// Makes dist/graphiql.{js,css}.gz, which the gateway serves, from the pinned packages.
//
//   npm ci && node build.mjs [--check]
//
// With --check nothing is written: what is there must be what would be made.
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

// The fonts are nine tenths of the styles; browsers have some of their own.
const withoutFonts = {
  name: "without fonts",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => ({
      contents: (await readFile(path, "utf8")).replaceAll(/@font-face\s*\{[^}]*\}/g, ""),
      loader: "css",
    }));
  },
};

const { outputFiles } = await build({
  entryPoints: { graphiql: at("page.mjs") },
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "utf8",
  legalComments: "inline",
  define: { "process.env.NODE_ENV": '"production"' },
  outdir: at("dist"),
  plugins: [withoutFonts],
  logLevel: "error",
  write: false,
});
for (const { path, contents } of outputFiles) {
  if (process.argv.includes("--check")) {
    const kept = gunzipSync(await readFile(`${path}.gz`));
    if (!kept.equals(contents)) throw new Error(`${path}.gz is not what the packages make; run node build.mjs`);
  } else {
    await writeFile(`${path}.gz`, gzipSync(contents, { level: 9 }));
  }
}
