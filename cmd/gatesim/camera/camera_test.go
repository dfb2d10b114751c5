package camera

import (
	"bytes"
	"context"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"bordergate/cmd/gatesim/scene"
)

func frames(names string, t scene.Truth) []scene.Frame {
	var out []scene.Frame
	for _, n := range names {
		out = append(out, scene.Frame{JPEG: []byte(string(n)), Truth: t})
	}
	return out
}

func TestProgramOrder(t *testing.T) {
	p := NewProgram(frames("ab", scene.Truth{InView: true}), frames("cde", scene.Truth{InView: true, Usable: true}), frames("z", scene.Truth{}))
	const t0 = int64(1_000_000_000)
	if _, ok := p.frame(t0); ok {
		t.Fatal("a program shows frames before it begins")
	}
	p.Start(t0)
	p.End(t0 + 8*int64(Period))
	var got []byte
	for i := int64(-1); i < 11; i++ {
		f, ok := p.frame(t0 + i*int64(Period))
		if !ok {
			got = append(got, '-')
			continue
		}
		got = append(got, f.JPEG...)
	}
	if want := "-abcdedcdz--"; string(got) != want {
		t.Errorf("showed %s, want %s", got, want)
	}
}

func TestProgramNotesFirstFramesSent(t *testing.T) {
	p := NewProgram(nil, nil, nil)
	p.sent(scene.Truth{}, 5)
	p.sent(scene.Truth{InView: true}, 7)
	p.sent(scene.Truth{InView: true, Usable: true}, 9)
	p.sent(scene.Truth{InView: true, Usable: true}, 11)
	if got := p.Seen(); got != (Seen{InView: 7, Usable: 9}) {
		t.Errorf("seen %+v", got)
	}
}

// The schedule is absolute: 25 frames in each second, a slow viewer or not.
func TestTickKeepsTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Camera{idle: frames("i", scene.Truth{}), viewers: map[chan shot]struct{}{}}
		fast, stuck := make(chan shot, 1000), make(chan shot)
		c.viewers[fast], c.viewers[stuck] = struct{}{}, struct{}{}
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second-time.Millisecond)
		defer cancel()
		c.tick(ctx)
		if len(fast) != 4*scene.FPS {
			t.Errorf("%d frames in 4 s", len(fast))
		}
	})
}

func TestStreamIsMJPEG(t *testing.T) {
	c, err := Listen("face", frames("i", scene.Truth{}))
	if err != nil {
		t.Fatal(err)
	}
	p := NewProgram(nil, frames("x", scene.Truth{InView: true, Usable: true}), nil)
	p.Start(1)
	c.Show(p)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Serve(ctx) }()
	defer func() { cancel(); <-done }()

	res, err := http.Get(c.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	kind, params, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/x-mixed-replace" {
		t.Fatalf("content type %q (%v)", kind, err)
	}
	r := multipart.NewReader(res.Body, params["boundary"])
	for range 3 {
		part, err := r.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(part)
		if err != nil || !bytes.Equal(b, []byte("x")) {
			t.Fatalf("frame %q (%v)", b, err)
		}
	}
	if s := p.Seen(); s.Usable == 0 || s.InView != s.Usable {
		t.Errorf("seen %+v", s)
	}
}

// A camera that is switched off ends its streams and gives none, until it is
// back.
func TestSwitchedOff(t *testing.T) {
	c, err := Listen("face", frames("i", scene.Truth{}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Serve(ctx) }()
	defer func() { cancel(); <-done }()
	get := func(want int) *http.Response {
		t.Helper()
		res, err := http.Get(c.URL())
		if err != nil || res.StatusCode != want {
			t.Fatalf("answer %+v (%v), want status %d", res, err, want)
		}
		return res
	}
	res := get(http.StatusOK)
	c.Switch(false)
	c.Switch(false)
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Errorf("the stream breaks instead of ending: %v", err)
	}
	_ = res.Body.Close()
	_ = get(http.StatusServiceUnavailable).Body.Close()
	c.Switch(true)
	_ = get(http.StatusOK).Body.Close()
}
