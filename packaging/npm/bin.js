#!/usr/bin/env node
// Runs the program that this platform's package holds. Nothing is downloaded, neither here nor at install.
"use strict";
const { spawn } = require("node:child_process");
const { constants } = require("node:os");

const name = `@pgguard/${process.platform}-${process.arch}`;
let program;
try {
  program = require.resolve(`${name}/bin/pgguard`);
} catch {
  console.error(
    `pgguard: there is no package ${name}; install pgguard with optional dependencies, ` +
      "or use another package: https://github.com/pgguard/pgguard#install",
  );
  process.exit(2);
}

const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
// A signal that a pipeline sends to this process is meant for the program.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]) {
  process.on(signal, () => child.kill(signal));
}
child.on("error", (error) => {
  console.error(`pgguard: cannot run ${program}: ${error.message}`);
  process.exit(2);
});
child.on("exit", (status, signal) => {
  process.exit(signal ? 128 + constants.signals[signal] : status);
});
