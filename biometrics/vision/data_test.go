package vision

import (
	"os"
	"path/filepath"
	"testing"
)

// hashes of the shipped models; the manifest in configs has the same, this package reads no manifest.
var hashes = map[string]string{
	ModelDetect:   "6c0256ccd3164f844736a401faf936ec2930764a87ae39442180887d0c5c8854",
	ModelLandmark: "f10b0ba1d2a8a099adefede1ebf3733e44fe370715e7303dbeb7f59c02142258",
	ModelFeature:  "87aacdfe57510db2af90c0251df680e8eec88f122ee94712121d09bcaaaf3581",
	ModelLiveness: "afa783b7e902fdfcf323a7240cac2a1c580c25314ea4161129dc1b0d100dc32d",
}

// shipped is the shipped recogniser, as the manifest in configs describes it.
func shipped() *Recogniser {
	return &Recogniser{Width: alignSize, Height: alignSize, Scale: 1.0 / 128, Mean: [3]float64{127, 127, 127}, Dim: 512, Template: template}
}

// root is the repository's root seen from this package.
const root = "../.."

// dataPath finds a file of the test data, or skips.
func dataPath(tb testing.TB, parts ...string) string {
	tb.Helper()
	dir := os.Getenv("BORDERGATE_DATA")
	if dir == "" {
		dir = filepath.Join(root, "..", "shared", "data")
	}
	p := filepath.Join(append([]string{dir}, parts...)...)
	if _, err := os.Stat(p); err != nil {
		tb.Skipf("test data not here: %s (set BORDERGATE_DATA)", filepath.Join(parts...))
	}
	return p
}

// models finds the model pack, or skips.
func models(tb testing.TB) []Model {
	tb.Helper()
	dir := os.Getenv("BORDERGATE_MODELS")
	if dir == "" {
		dir = filepath.Join(root, "models")
	}
	var out []Model
	for _, name := range []string{ModelDetect, ModelLandmark, ModelFeature, ModelLiveness} {
		p := filepath.Join(dir, "fr_"+name+".onnx")
		if _, err := os.Stat(p); err != nil {
			tb.Skip("model pack not here: run \"make models\"")
		}
		m := Model{Name: name, Path: p, SHA256: hashes[name]}
		if name == ModelFeature {
			m.Recogniser = shipped()
		}
		out = append(out, m)
	}
	return out
}
