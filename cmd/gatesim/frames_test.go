package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http/httptest"
	"testing"

	"bordergate/configs"
	"bordergate/hal/vision"
)

func TestSizeIn(t *testing.T) {
	const status = "Name:\tgatevision\nVmRSS:\t  151000 kB\nRssAnon:\t   80000 kB\n"
	if a, r := sizeIn(status, "RssAnon"), sizeIn(status, "VmRSS"); a != 80000<<10 || r != 151000<<10 {
		t.Errorf("%d, %d", a, r)
	}
	if n := sizeIn(status, "RssFile"); n != 0 {
		t.Errorf("%d of a field that is not there", n)
	}
}

func TestFramesAreCounted(t *testing.T) {
	r := &framesReport{}
	live := vision.Face{Count: 1, Raw: []float32{1}}
	live.Live.Done = true
	for _, f := range []vision.Face{{}, {Count: 1}, {Count: 2, Raw: []float32{1}}, live} {
		r.see(f)
	}
	if r.Frames != 4 || r.Faces != 2 || r.Embedded != 2 || r.Lived != 1 {
		t.Errorf("%+v", r)
	}
}

// A worker refuses a network it was not told how to feed.
func TestFaceWorkerIsToldOfEachNetwork(t *testing.T) {
	wo, err := faceWorker(options{manifest: "../../configs/models.yaml", models: "models"}, "http://camera/face")
	if err != nil {
		t.Fatal(err)
	}
	if len(wo.Config.Models) != 4 {
		t.Errorf("%d networks", len(wo.Config.Models))
	}
	for _, m := range wo.Config.Models {
		var spec configs.Model
		if err := json.Unmarshal(m.Spec, &spec); err != nil || spec.Use != m.Name || spec.Input.Width == 0 {
			t.Errorf("%s is told %s (%v)", m.Name, m.Spec, err)
		}
	}
}

func TestReelShowsOneAfterTheOther(t *testing.T) {
	s := httptest.NewServer(reel([][]byte{[]byte("one"), []byte("two")}))
	defer s.Close()
	res, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var got []string
	scan := bufio.NewScanner(io.LimitReader(res.Body, 1<<16))
	for len(got) < 3 && scan.Scan() {
		if line := bytes.TrimSpace(scan.Bytes()); bytes.Equal(line, []byte("one")) || bytes.Equal(line, []byte("two")) {
			got = append(got, string(line))
		}
	}
	if len(got) != 3 || got[0] == got[1] || got[0] != got[2] {
		t.Errorf("shown: %v", got)
	}
}
