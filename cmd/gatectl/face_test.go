package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bordergate/biometrics"
)

// fakeVision is a gatevision that answers every picture from a file beside it: NAME.json.
func fakeVision(t *testing.T, answers map[string]string) (program, dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, line := range answers {
		if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program = filepath.Join(dir, "gatevision")
	script := `#!/bin/sh
if [ "$1" = embed-list ]; then while read -r n; do cat "` + dir + `/$(basename "$n").json"; done; exit 1; fi
while [ "$1" != -- ]; do shift; done
shift
for n in "$@"; do cat "` + dir + `/$(basename "$n").json" || exit 2; done
`
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return program, dir
}

// invented returns an embedding of an invented person; the same seed is the same person, noise is the second frame's difference.
func invented(seed uint64, noise float64) biometrics.Embedding {
	rng, off := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
	e := make(biometrics.Embedding, 512)
	for i := range e {
		e[i] = float32((rng.NormFloat64() + noise*off.NormFloat64()) * 3.6 / math.Sqrt(512))
	}
	return e
}

// answer is a line of gatevision's for one good face.
func answer(file string, e biometrics.Embedding, ms27 float64) string {
	var b []byte
	for _, v := range e {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return fmt.Sprintf(`{"file":%q,"found":1,"main":0,"faces":[{"quality":{"score":1,"norm":%f,"eye_distance":60,"laplacian":40,"luminance":120,`+
		`"nose_drop":0.55},"liveness":{"ms27":%f,"sq15":%f,"lines":0},"embedding_base64":%q}],"millis":{"detect":9}}`,
		file, e.Norm(), ms27, ms27, base64.StdEncoding.EncodeToString(b))
}

const noFace = `{"file":"none","found":0,"main":-1,"faces":[],"millis":{}}`

// face runs a face command with the fake and returns what it printed.
func face(t *testing.T, program string, args ...string) (string, string, int) {
	t.Helper()
	var out, errOut bytes.Buffer
	all := append([]string{"face", args[0], "--gatevision", program, "--manifest", "../../configs/models.yaml"}, args[1:]...)
	code := dispatch(context.Background(), env{Out: &out, Err: &errOut}, commands(), all)
	return out.String(), errOut.String(), code
}

func TestFaceVerify(t *testing.T) {
	program, _ := fakeVision(t, map[string]string{
		"a": answer("a", invented(1, 0), 3), "a2": answer("a2", invented(1, 0.4), -20), "b": answer("b", invented(2, 0), 3), "none": noFace,
		"bad": `{"file":"bad","error":"picture is not usable","main":-1}`, "babble": "not json",
	})
	for _, c := range []struct {
		a, b    string
		code    int
		verdict string
	}{
		{"a", "a2", exitDone, "accept"},
		{"a", "b", exitNegative, "reject"},
		{"a", "none", exitNegative, "none"},
		{"none", "a", exitNegative, "none"},
		{"a", "a", exitDone, "too_good"},
		{"a", "bad", exitUnable, ""},
		{"a", "babble", exitUnable, ""},
		{"a", "missing", exitUnable, ""},
	} {
		out, errOut, code := face(t, program, "verify", "--json", c.a, c.b)
		if code != c.code {
			t.Errorf("%s and %s: exit %d, want %d: %s", c.a, c.b, code, c.code, errOut)
		}
		if c.verdict == "" {
			continue
		}
		var v verification
		if err := json.Unmarshal([]byte(out), &v); err != nil {
			t.Fatal(err)
		}
		if v.Verdict != c.verdict || v.Match != (c.code == exitDone) || v.Threshold != 0.411 || (v.Score == nil) != (c.verdict == "none") {
			t.Errorf("%s and %s: %+v, want %s", c.a, c.b, v, c.verdict)
		}
	}
	if _, errOut, code := face(t, program, "verify", "a"); code != exitUnable || errOut == "" {
		t.Errorf("one picture: exit %d", code)
	}
	if _, errOut, code := face(t, filepath.Join(t.TempDir(), "none"), "verify", "a", "a2"); code != exitUnable || !strings.Contains(errOut, "gatevision") {
		t.Errorf("no gatevision: exit %d, %s", code, errOut)
	}
	if _, _, code := face(t, program, "verify", "--fmr", "1e-9", "a", "a2"); code != exitUnable {
		t.Errorf("a rate nobody measured: exit %d", code)
	}
}

func TestFaceEnrolAndLiveness(t *testing.T) {
	program, _ := fakeVision(t, map[string]string{
		"a": answer("a", invented(1, 0), 3), "a2": answer("a2", invented(1, 0.4), -20), "none": noFace, "b": answer("b", invented(2, 0), 3),
		"crowd": strings.Replace(answer("crowd", invented(1, 0), 3), `"found":1`, `"found":2,"second":0.8`, 1),
	})
	out, _, code := face(t, program, "enrol", "--json", "a", "a2")
	var e enrolment
	if err := json.Unmarshal([]byte(out), &e); err != nil || code != exitDone {
		t.Fatal(code, err)
	}
	if _, err := biometrics.ParseReference(e.Reference); err != nil || !strings.HasPrefix(e.Model, "fr_feature@") || e.Norm < 3 {
		t.Errorf("enrolment %+v, %v", e, err)
	}
	for says, files := range map[string][]string{"crowd: a second face": {"crowd"}, "none: no face": {"a", "none"}, "b: it shows another person": {"a", "b"}} {
		out, errOut, code := face(t, program, append([]string{"enrol"}, files...)...)
		var e enrolment
		if err := json.Unmarshal([]byte(out), &e); err != nil || code != exitNegative || len(e.Reference) > 0 || !strings.Contains(errOut, says) {
			t.Errorf("%v enrolled (exit %d, %v), said %q: %s", files, code, err, errOut, out)
		}
	}
	out, _, code = face(t, program, "liveness", "--json", "a", "a2", "none")
	var got []biometrics.Liveness
	for line := range strings.Lines(out) {
		var l livenessLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		got = append(got, l.Verdict)
	}
	if code != exitNegative || !slices.Equal(got, []biometrics.Liveness{"live", "attack", "undecided"}) {
		t.Errorf("exit %d, verdicts %v", code, got)
	}
}

func TestFaceEvaluate(t *testing.T) {
	answers := map[string]string{"none.jpg": strings.Replace(noFace, `"none"`, `"none.jpg"`, 1)}
	var pairs strings.Builder
	for p := range uint64(12) {
		a, b := fmt.Sprintf("p%d_1.jpg", p), fmt.Sprintf("p%d_2.jpg", p)
		answers[a], answers[b] = answer(a, invented(p, 0), 1), answer(b, invented(p, 0.5), 1)
		fmt.Fprintf(&pairs, "%s %s 1\n%s p%d_2.jpg 0\n", a, b, a, (p+1)%12)
	}
	pairs.WriteString("none.jpg p1_1.jpg 1\n")
	program, dir := fakeVision(t, answers)
	file, scores := filepath.Join(dir, "pairs.txt"), filepath.Join(dir, "scores.csv")
	if err := os.WriteFile(file, []byte(pairs.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	det, plot := filepath.Join(dir, "det.csv"), filepath.Join(dir, "det.svg")
	out, errOut, code := face(t, program, "evaluate", "--json", "--pairs", file, "--root", dir, "--scores", scores, "--det", det, "--plot", plot)
	var ev evaluation
	if err := json.Unmarshal([]byte(out), &ev); err != nil || code != exitDone {
		t.Fatal(code, err, errOut)
	}
	if ev.Images != 25 || ev.Genuine != 12 || ev.Impostors != 12 || ev.Unscored != 1 || ev.FTA.Count != 1 || len(ev.Points) != 3 {
		t.Errorf("evaluation %+v", ev)
	}
	for _, p := range ev.Points {
		if p.FNMR.Count != 0 || p.Hits != 0 || p.Threshold > 0.5 || p.FNMR.High < 0.2 {
			t.Errorf("point %+v", p)
		}
	}
	b, err := os.ReadFile(scores)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(string(b), "\n"); lines[0] != "a,b,label,score" || len(lines) != 27 || !strings.HasPrefix(lines[25], "none.jpg,p1_1.jpg,1,") ||
		!strings.HasSuffix(lines[25], ",") {
		t.Errorf("scores:\n%s", b)
	}
}

func TestReadPairsRefuses(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "two words": "a b\n", "label": "a b 2\n", "four words": "a b 1 c\n"} {
		p := filepath.Join(t.TempDir(), "pairs")
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readPairs(p); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}
