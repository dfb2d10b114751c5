package clips

import (
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"

	"bordergate/cmd/gatesim/people"
	"bordergate/cmd/gatesim/scene"
)

func photo(t *testing.T) people.Shot {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 120, 120))
	img.SetGray(60, 60, color.Gray{200})
	f, err := os.Create(filepath.Join(t.TempDir(), "p.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := jpeg.Encode(f, img, nil); err != nil {
		t.Fatal(err)
	}
	return people.Shot{File: f.Name(), Face: scene.Face{
		Box: scene.Box{X1: 30, Y1: 20, X2: 90, Y2: 100}, Eyes: [2][2]float64{{45, 50}, {75, 50}},
	}}
}

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir(), func(p []byte) (scene.Symbol, error) {
		if len(p) == 0 {
			return scene.Symbol{}, errors.New("empty")
		}
		return scene.Symbol{Size: 21, Black: func(x, y int) bool { return (x+y)%2 == 0 }}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func none(int, int) {}

func TestClipsAreDrawnOnce(t *testing.T) {
	s := open(t)
	jobs := []Job{
		{Face: &FaceJob{Shot: photo(t), Options: scene.FaceOptions{Seed: 1, Enter: 1, Look: 1}}},
		{Pass: &PassJob{Payload: []byte("a"), Options: scene.PassOptions{Seed: 1, Hold: 1}}},
	}
	for i, want := range []int{2, 0} {
		if n, err := s.Prepare(t.Context(), jobs, none); err != nil || n != want {
			t.Fatalf("run %d: %d drawn, want %d (%v)", i, n, want, err)
		}
	}
	for _, j := range jobs {
		c, err := s.Load(j)
		if err != nil || len(c.Loop) != 1 || !c.Loop[0].Truth.Usable || len(c.Loop[0].JPEG) == 0 {
			t.Errorf("clip %+v (%v)", c, err)
		}
	}
	jobs[1].Pass.Payload = []byte("b")
	if n, err := s.Prepare(t.Context(), jobs, none); err != nil || n != 1 {
		t.Errorf("another pass: %d drawn (%v)", n, err)
	}
}

func TestPrepareTellsWhatFails(t *testing.T) {
	s := open(t)
	if _, err := s.Prepare(t.Context(), []Job{{Pass: &PassJob{}}}, none); err == nil {
		t.Error("a pass without content was drawn")
	}
	if _, err := s.Prepare(t.Context(), []Job{{}}, none); err == nil {
		t.Error("a clip of nothing was drawn")
	}
}

func TestPruneKeepsTheLimit(t *testing.T) {
	s := open(t)
	var jobs []Job
	for i := range 3 {
		jobs = append(jobs, Job{Pass: &PassJob{Payload: []byte{byte(i + 1)}, Options: scene.PassOptions{Hold: 1}}})
	}
	if _, err := s.Prepare(t.Context(), jobs, none); err != nil {
		t.Fatal(err)
	}
	if err := s.Prune(0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(jobs[0]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a pruned clip is read: %v", err)
	}
}
