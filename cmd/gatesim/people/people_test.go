package people

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestDemoHasOneTruePairAndMasksTheOthers(t *testing.T) {
	dir := t.TempDir()
	for i := range 6 {
		name := filepath.Join(dir, "sample"+string(rune('1'+i))+".jpg")
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := Demo(dir)
	if err != nil {
		t.Fatal(err)
	}
	pairs, ids := 0, map[string]bool{}
	for _, p := range list {
		if ids[p.ID] {
			t.Errorf("%s is listed twice", p.ID)
		}
		ids[p.ID] = true
		if !p.Recapture() {
			pairs++
		}
		f := p.Enrol.Face
		if len(f.Others) < 2 || f.Box.W() < 100 || f.Eyes[0][0] >= f.Eyes[1][0] {
			t.Errorf("%s: face %+v", p.ID, f)
		}
		for _, o := range f.Others {
			if o == f.Box {
				t.Errorf("%s is masked in the own photograph", p.ID)
			}
		}
	}
	if pairs != 1 || len(list) < 10 {
		t.Errorf("%d people, %d pairs from two photographs", len(list), pairs)
	}
}

func TestDemoNamesTheCure(t *testing.T) {
	if _, err := Demo(t.TempDir()); !errors.Is(err, ErrNobody) {
		t.Errorf("error %v", err)
	}
}

func TestFolderWantsTwoPhotographs(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"A/A_0001.jpg", "B/B_0002.jpg", "B/B_0001.jpg", "B/B_0003.jpg", "x.txt"} {
		path := filepath.Join(dir, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := Folder(dir)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d people (%v)", len(list), err)
	}
	p := list[0]
	if filepath.Base(p.Enrol.File) != "B_0001.jpg" || filepath.Base(p.Film.File) != "B_0002.jpg" || p.Recapture() {
		t.Errorf("person %+v", p)
	}
	if list, err := Folder(filepath.Join(dir, "none")); err != nil || len(list) != 0 {
		t.Errorf("a missing folder has %d people (%v)", len(list), err)
	}
}
