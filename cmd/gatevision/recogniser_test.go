//go:build cgo

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"bordergate/biometrics/onnxtest"
	"bordergate/biometrics/recogniser"
	"bordergate/biometrics/vision"
	"bordergate/configs"
	worker "bordergate/hal/vision"

	"go.yaml.in/yaml/v3"
)

// secondSlot writes a manifest in which another recogniser is in use, of 48 values, 96 pixels, RGB, with points, means and an output of
// its own, and puts its file beside the model pack's.
func secondSlot(t *testing.T) (man *configs.Models, dir, manifest string) {
	t.Helper()
	faceModels(t)
	man, err := configs.LoadModels(filepath.Join(root, "configs", "models.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for _, f := range man.Models {
		from, err := filepath.Abs(f.Path(filepath.Join(root, "models")))
		if err != nil {
			t.Fatal(err)
		}
		if f.Use != configs.UseDemonstration {
			if err := os.Symlink(from, f.Path(dir)); err != nil {
				t.Fatal(err)
			}
		}
	}
	b := onnxtest.Pool(3, 4, 24)
	sum := sha256.Sum256(b)
	if err := os.WriteFile(filepath.Join(dir, "second.onnx"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	used, _ := man.ByUse(configs.UseFeature)
	second := used
	second.Name, second.File, second.Source, second.Member = "second", "second.onnx", "", ""
	second.Bytes, second.SHA256 = int64(len(b)), hex.EncodeToString(sum[:])
	second.Input = configs.Input{Width: 96, Height: 96, Colour: "rgb", Scale: 0.01, Mean: configs.PerChannel{104, 117, 123}, SwapRB: true}
	second.Recognise.Output, second.Recognise.Dimension = onnxtest.Mean, onnxtest.Values(3, 4)
	second.Recognise.Reference = configs.ReferenceForm{Size: 48}
	second.Recognise.Norm = configs.NormLimits{}
	second.Recognise.Align = [][]float64{{34, 44}, {64, 44}, {49, 60}, {37, 79}, {61, 79}}
	man.Models, man.Recogniser = append(man.Models, second), "second"
	text, err := yaml.Marshal(man)
	if err != nil {
		t.Fatal(err)
	}
	manifest = filepath.Join(dir, "models.yaml")
	if err := os.WriteFile(manifest, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if man, err = configs.LoadModels(manifest); err != nil {
		t.Fatal(err)
	}
	return man, dir, manifest
}

// TestSecondRecogniser : the one-shot and the worker embed with another recogniser, told by the manifest alone, and what they give is
// enrolled and compared.
func TestSecondRecogniser(t *testing.T) {
	man, dir, manifest := secondSlot(t)
	model, err := recogniser.Open(man, dir)
	if err != nil {
		t.Fatal(err)
	}
	photo := dataPath(t, "pad", "live", "image_T1.jpg")
	var out, errOut bytes.Buffer
	if code := runImage(context.Background(), []string{"--models", dir, "--manifest", manifest, photo}, &out, &errOut); code != exitDone {
		t.Fatalf("exit %d: %s", code, errOut.String())
	}
	var p picture
	if err := json.Unmarshal(out.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(p.Faces[0].Embedding)
	if err != nil || len(raw) != 4*48 {
		t.Fatalf("embedding of %d bytes, %v", len(raw), err)
	}

	f, err := vision.ReadImage(photo)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pic, err := f.JPEG(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	w := serveWorker(t, worker.WorkerConfig{Role: worker.RoleFace, Source: folder(t, pic), FPS: 25, Threads: 1, Models: modelFiles(t, man, dir)})
	w.Watch(1)
	seen := await(t, w, func(f worker.Face) bool { return f.Session == 1 && len(f.Raw) > 0 })
	if !seen.Live.Done {
		t.Error("no liveness where the norm tells nothing")
	}
	ref, err := model.Enrol(seen.Raw)
	if err != nil || len(ref) != 48 {
		t.Fatal(len(ref), err)
	}
	if s, err := model.Score(seen.Raw, ref); err != nil || s < 0.999 {
		t.Errorf("score with itself %v, %v", s, err)
	}
}

// modelFiles tells a worker of a manifest's networks, as the daemon does.
func modelFiles(tb testing.TB, man *configs.Models, dir string) (out []worker.ModelFile) {
	tb.Helper()
	for _, use := range []string{configs.UseDetect, configs.UseLandmark, configs.UseFeature, configs.UseLiveness} {
		f, ok := man.ByUse(use)
		file, err := worker.NewModelFile(use, f.Path(dir), f.SHA256, f)
		if err != nil || !ok {
			tb.Fatal(use, ok, err)
		}
		out = append(out, file)
	}
	return out
}

func TestWorkerRefusesADescriptionThatIsNone(t *testing.T) {
	for _, spec := range []string{"", "{}", `{"Recognise":{"Dimension":"many"}}`, `[1]`, `{"Recognise":{"Align":[[1],[2,3]]}}`} {
		models, norm, err := told([]worker.ModelFile{{Name: vision.ModelFeature, Path: "p", SHA256: "s", Spec: json.RawMessage(spec)}})
		if err == nil && (norm != 0 || len(models) != 1 || models[0].Recogniser.Dim != 0) {
			t.Errorf("%s: %s", spec, fmt.Sprint(models, norm))
		}
	}
}
