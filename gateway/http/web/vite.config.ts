import { resolve } from "node:path";
import { defineConfig } from "vite";
import { finishBuild } from "./tools/finish-build.mjs";

/** One script and one style sheet. Their names are stable, so that a build changes few files; browsers revalidate them. */
export default defineConfig({
  root: import.meta.dirname,
  base: "/",
  // The client's sources: its package has what is compiled of them.
  resolve: {
    alias: { "@tellurstori/musicgen": resolve(import.meta.dirname, "../../../clients/typescript/src/index.ts") },
  },
  build: {
    outDir: "../static",
    emptyOutDir: false, // the folder is a Python package, too
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rollupOptions: {
      output: {
        entryFileNames: "assets/studio.js",
        assetFileNames: "assets/studio[extname]",
      },
    },
  },
  server: {
    proxy: {
      "/api": "http://127.0.0.1:8000",
      "/health": "http://127.0.0.1:8000",
      "/ws": { target: "ws://127.0.0.1:8000", ws: true },
    },
  },
  plugins: [finishBuild()],
  test: { include: ["tests/**/*.test.ts"] },
});
