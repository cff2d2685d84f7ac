// node llama_cpp.mjs FOLDER MODEL.gguf THREADS: llama.cpp as bench_llm's reference, through the binaries that npm's
// node-llama-cpp carries; FOLDER is where that was installed. Says what it is, then answers each line it reads, "prefill
// N" or "decode N", with tokens a second.
import {createRequire} from "node:module";
import {pathToFileURL} from "node:url";
import readline from "node:readline";

const [folder, file, threads] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const module = createRequire(pathToFileURL(folder + "/")).resolve("node-llama-cpp");
const {getLlama} = await import(pathToFileURL(module).href);
const llama = await getLlama({gpu: false, build: "never", maxThreads: threads, logLevel: "error"});
const model = await llama.loadModel({modelPath: file});
const context = await model.createContext({contextSize: 1024, batchSize: 512, threads: {ideal: threads, min: threads}});
const sequence = context.getSequence();
const prompt = count => Array.from({length: count}, (_, i) => (i * 7919 + 13) % 20000);
const say = text => process.stdout.write(text + "\n");

async function run(promptTokens, answerTokens) {
  await sequence.clearHistory();
  const begin = performance.now();
  let first = 0, last = 0, count = 0;
  for await (const _ of sequence.evaluate(prompt(promptTokens), {temperature: 0, yieldEogToken: true})) {
    last = performance.now();
    if (count++ === 0) first = last;
    if (count > answerTokens) break;
  }
  return {prefill: promptTokens / (first - begin) * 1e3, decode: answerTokens / (last - first) * 1e3};
}

say(`llama.cpp ${llama.llamaCppRelease?.release}, ${threads} threads, ${llama.systemInfo.trim()}`);
for await (const line of readline.createInterface({input: process.stdin})) {
  const [what, count] = line.split(" ");
  say(String(what === "prefill" ? (await run(Number(count), 0)).prefill : (await run(128, Number(count))).decode));
}
process.exit(0);
