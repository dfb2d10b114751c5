package camera

import (
	"bytes"
	"image/jpeg"
	"testing"

	"bordergate/cmd/gatesim/scene"
)

// shots are what a viewer is handed over n periods.
func shots(c *Camera, n int64) (out []scene.Frame) {
	v := make(chan shot, 1)
	c.mu.Lock()
	c.viewers[v] = struct{}{}
	c.mu.Unlock()
	for i := range n {
		c.shoot(i, 0)
		select {
		case s := <-v:
			out = append(out, s.frame)
		default:
		}
	}
	c.mu.Lock()
	delete(c.viewers, v)
	c.mu.Unlock()
	return out
}

func TestFaults(t *testing.T) {
	c, err := Listen("face", frames("abc", scene.Truth{InView: true}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.ln.Close()
	for verb, want := range map[string]struct{ sent, width int }{
		"black": {50, 1280}, "wrong_size": {50, 320}, "slow": {10, 0}, "frozen": {50, 0}, "gone": {50, 0},
	} {
		if err := c.Strike(verb); err != nil {
			t.Fatal(err)
		}
		got := shots(c, 50)
		if len(got) != want.sent {
			t.Errorf("%s: %d pictures in 2 s, want %d", verb, len(got), want.sent)
		}
		if want.width > 0 {
			m, err := jpeg.DecodeConfig(bytes.NewReader(got[0].JPEG))
			if err != nil || m.Width != want.width || got[0].Truth.InView {
				t.Errorf("%s: %+v, %v", verb, m, err)
			}
		}
		if same := bytes.Equal(got[0].JPEG, got[1].JPEG) && bytes.Equal(got[0].JPEG, got[len(got)/2].JPEG); verb == "frozen" != same && want.width == 0 && verb != "slow" {
			t.Errorf("%s: the same picture: %v", verb, same)
		}
		if on := c.onLocked(); on == (verb == "gone") {
			t.Errorf("%s: switched on: %v", verb, on)
		}
		if err := c.Mend(); err != nil || !c.onLocked() {
			t.Fatal(err)
		}
	}
	if got := shots(c, 3); len(got) != 3 || string(got[0].JPEG) == string(got[1].JPEG) {
		t.Error("mended and not well")
	}
	if c.Strike("explode") == nil {
		t.Error("an unknown verb is taken")
	}
}
