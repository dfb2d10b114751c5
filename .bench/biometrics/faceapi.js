// @vladmandic/face-api as a peer: its detector, landmarks and descriptor in
// Node, on its WebAssembly backend (SIMD; in Node it has one thread only). The
// pipe is told in pipe.h. Usage: node faceapi.js ssd|tiny.
"use strict";

const path = require("path");
const tf = require("@tensorflow/tfjs");
const wasm = require("@tensorflow/tfjs-backend-wasm");
const faceapi = require("@vladmandic/face-api/dist/face-api.node-wasm.js");

const CENTRE = 1;

// pictures gives those that arrive on standard input.
async function* pictures() {
  let kept = Buffer.alloc(0);
  for await (const chunk of process.stdin) {
    kept = Buffer.concat([kept, chunk]);
    while (kept.length >= 16) {
      const [w, h, flags] = [0, 4, 8].map((at) => kept.readUInt32LE(at));
      const end = 16 + 3 * w * h;
      if (kept.length < end) break;
      yield { w, h, flags, bgr: kept.subarray(16, end) };
      kept = kept.subarray(end);
    }
  }
}

// rgb swaps the colours, since the networks were trained on RGB.
function rgb(bgr) {
  const out = new Int32Array(bgr.length);
  for (let i = 0; i < bgr.length; i += 3) {
    out[i] = bgr[i + 2];
    out[i + 1] = bgr[i + 1];
    out[i + 2] = bgr[i];
  }
  return out;
}

// distance of a face's middle from the picture's.
function distance(face, w, h) {
  const b = face.detection.box;
  return Math.hypot(b.x + b.width / 2 - w / 2, b.y + b.height / 2 - h / 2);
}

async function main(detector) {
  wasm.setWasmPaths(path.dirname(require.resolve("@tensorflow/tfjs-backend-wasm")) + path.sep);
  await tf.setBackend("wasm");
  await tf.ready();
  const models = path.join(path.dirname(require.resolve("@vladmandic/face-api/package.json")), "model");
  const net = detector === "tiny" ? faceapi.nets.tinyFaceDetector : faceapi.nets.ssdMobilenetv1;
  for (const n of [net, faceapi.nets.faceLandmark68Net, faceapi.nets.faceRecognitionNet]) await n.loadFromDisk(models);
  const options = detector === "tiny" ? new faceapi.TinyFaceDetectorOptions() : new faceapi.SsdMobilenetv1Options();
  for await (const p of pictures()) {
    const pixels = rgb(p.bgr);
    const begin = process.hrtime.bigint();
    const t = tf.tensor3d(pixels, [p.h, p.w, 3], "int32");
    // Only the chosen face is described, as at the gate; the steps and the
    // alignment are those of the package's own withFaceDescriptors.
    const found = await faceapi.detectAllFaces(t, options);
    const wide = (a, b) => b.box.width - a.box.width;
    const near = (a, b) => distance({ detection: a }, p.w, p.h) - distance({ detection: b }, p.w, p.h);
    const [best] = found.slice().sort(p.flags & CENTRE ? near : wide);
    let vector = [];
    if (best) {
      const [crop] = await faceapi.extractFaceTensors(t, [best]);
      const points = await faceapi.nets.faceLandmark68Net.detectLandmarks(crop);
      const placed = faceapi.extendWithFaceLandmarks({ detection: best }, points);
      const aim = placed.landmarks.align(null, { useDlibAlignment: true });
      const [aligned] = await faceapi.extractFaceTensors(t, [aim]);
      vector = Array.from(await faceapi.nets.faceRecognitionNet.computeFaceDescriptor(aligned));
      crop.dispose();
      aligned.dispose();
    }
    t.dispose();
    const frame = Number(process.hrtime.bigint() - begin) / 1e3;
    const b = best ? best.box : { x: 0, y: 0, width: 0, height: 0 };
    process.stdout.write(JSON.stringify({ found: found.length, box: [b.x, b.y, b.width, b.height], vector, micros: { frame } }) + "\n");
  }
}

main(process.argv[2]).catch((err) => {
  process.stderr.write(`faceapi: ${err.stack}\n`);
  process.exit(2);
});
