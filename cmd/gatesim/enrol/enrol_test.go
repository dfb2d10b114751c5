package enrol

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bordergate/cmd/gatesim/people"
	"bordergate/cmd/gatesim/scene"
)

// line is what gatevision says of a good portrait.
func line(norm, offset float64) string {
	b := make([]byte, 0, 4*512)
	for range 512 {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(norm/math.Sqrt(512))))
	}
	return fmt.Sprintf(`{"file":"FILE","found":1,"second":0,"main":0,"faces":[{"quality":{"score":1,"norm":%g,"eye_distance":86,"laplacian":40,"luminance":120,"share_over":0,"share_under":0,"nose_offset":%g,"nose_drop":0.6,"roll":1},"embedding_base64":"%s"}]}`,
		norm, offset, base64.StdEncoding.EncodeToString(b))
}

// office has a gatevision that says the same of every portrait.
func office(t *testing.T, answer string) *Office {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "gatevision")
	script := "#!/bin/sh\nwhile read f; do printf '%s\\n' '" + answer + "' | sed \"s/FILE/$f/\"; done\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := New(Options{Program: program, Dir: dir, Manifest: "../../../configs/models.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	f.model.ID = "m@1"
	return f
}

func person(t *testing.T, n int) people.Person {
	t.Helper()
	face := scene.Face{Box: scene.Box{X1: 30, Y1: 20, X2: 90, Y2: 100}, Eyes: [2][2]float64{{45, 50}, {75, 50}}}
	shot := func(k int) people.Shot {
		f, err := os.Create(filepath.Join(t.TempDir(), "p.jpg"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		img := image.NewGray(image.Rect(0, 0, 120, 120))
		img.Pix[k] = 255
		if err := jpeg.Encode(f, img, nil); err != nil {
			t.Fatal(err)
		}
		return people.Shot{File: f.Name(), Face: face}
	}
	return people.Person{ID: fmt.Sprint(n), Source: people.LFW, Enrol: shot(2 * n), Film: shot(2*n + 1)}
}

func TestPeopleAreJudgedByTheirPictures(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		ok           int
	}{
		{"good", line(4, 0.1), 1},
		{"low norm", line(3.1, 0.1), 0},
		{"looks aside", line(4, 0.4), 0},
		{"no face", `{"file":"FILE","found":0,"main":-1,"faces":[]}`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			ok, refused, err := office(t, c.answer).People(t.Context(), []people.Person{person(t, 1)}, 0)
			if err != nil || len(ok) != c.ok || refused != 1-c.ok {
				t.Fatalf("%d enrolled, %d refused (%v)", len(ok), refused, err)
			}
			if c.ok == 1 && (len(ok[0].Reference) != 160 || ok[0].Model != "m@1" || ok[0].Film.Face.Nose == [2]float64{}) {
				t.Errorf("enrolled %+v", ok[0])
			}
		})
	}
}

func TestPeopleStopsWhenThereAreEnough(t *testing.T) {
	var list []people.Person
	for i := range 12 {
		list = append(list, person(t, i))
	}
	ok, _, err := office(t, line(4, 0)).People(t.Context(), list, 3)
	if err != nil || len(ok) != 3 {
		t.Errorf("%d enrolled (%v)", len(ok), err)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for _, answer := range []string{`{"file":"FILE","error":"broken"}`, "nonsense"} {
		if _, _, err := office(t, answer).People(t.Context(), []people.Person{person(t, 1)}, 0); err == nil {
			t.Errorf("%q was taken", answer)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(line(4, 0)))
	f.Add([]byte(strings.Replace(line(4, 0), `"main":0`, `"main":9`, 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, got, err := parse(b); err == nil && len(got.Embedding) == 0 && got.Quality.Norm != 0 {
			t.Error("a quality without an embedding")
		}
	})
}
