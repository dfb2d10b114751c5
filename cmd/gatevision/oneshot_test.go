//go:build cgo

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func toolFlags(tb testing.TB) []string {
	tb.Helper()
	faceModels(tb)
	return []string{"--models", filepath.Join(root, "models"), "--manifest", filepath.Join(root, "configs", "models.yaml")}
}

func TestImageCommand(t *testing.T) {
	face := dataPath(t, "pad", "live", "image_T1.jpg")
	blank := filepath.Join(t.TempDir(), "blank.jpg")
	if err := os.WriteFile(blank, label(t, "nobody"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files []string
		code  int
		found []int
	}{
		"a face":         {[]string{face}, exitDone, []int{1}},
		"none":           {[]string{face, blank}, exitNoFace, []int{1, 0}},
		"not a picture":  {[]string{"main.go", face}, exitUnable, []int{0, 1}},
		"not there":      {[]string{"none.jpg"}, exitUnable, []int{0}},
		"nothing at all": {nil, exitUnable, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			if code := runImage(context.Background(), append(toolFlags(t), c.files...), &out, &errOut); code != c.code {
				t.Errorf("exit %d, want %d: %s", code, c.code, errOut.String())
			}
			dec := json.NewDecoder(&out)
			for i, want := range c.found {
				var p picture
				if err := dec.Decode(&p); err != nil {
					t.Fatal(err)
				}
				if p.File != c.files[i] || p.Found != want || (want == 1) != (len(p.Faces) == 1) {
					t.Errorf("line %d: %s found %d", i, p.File, p.Found)
				}
				if want == 1 {
					raw, err := base64.StdEncoding.DecodeString(p.Faces[0].Embedding)
					if err != nil || len(raw) != 2048 || p.Faces[0].Liveness == nil || p.Main != 0 {
						t.Errorf("line %d: %d bytes of embedding, %v", i, len(raw), err)
					}
				}
			}
		})
	}
}

func TestEmbedListCommand(t *testing.T) {
	dir := dataPath(t, "pad", "attack")
	var out, errOut bytes.Buffer
	in := strings.NewReader("image_F1.jpg\n\nimage_F2.jpg\n")
	if code := runEmbedList(context.Background(), append(toolFlags(t), "--root", dir), in, &out, &errOut); code != exitDone {
		t.Fatalf("exit %d: %s", code, errOut.String())
	}
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("%d lines, want 2", n)
	}
}

func TestModelsRefused(t *testing.T) {
	var out, errOut bytes.Buffer
	args := []string{"--models", t.TempDir(), "--manifest", filepath.Join(root, "configs", "models.yaml"), "x.jpg"}
	if code := runImage(context.Background(), args, &out, &errOut); code != exitUnable || !strings.Contains(errOut.String(), "make models") {
		t.Errorf("exit %d: %s", code, errOut.String())
	}
}

func TestWorkerByHand(t *testing.T) {
	if code := run([]string{"no-such"}); code != exitUnable {
		t.Errorf("exit %d", code)
	}
}
