package camera

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"slices"
	"sync"

	"bordergate/cmd/gatesim/scene"
)

// What can be wrong with a camera, in a scenario's words.
const (
	black     = "black"  // the lens is covered
	frozen    = "frozen" // the same picture again and again
	slow      = "slow"   // five pictures a second
	wrongSize = "wrong_size"
	gone      = "gone"
)

// Verbs lists what can be wrong with a camera.
func Verbs() []string { return []string{black, frozen, gone, slow, wrongSize} }

// Strike has one of the verbs happen; Mend takes it back.
func (c *Camera) Strike(verb string) error {
	if !slices.Contains(Verbs(), verb) {
		return fmt.Errorf("strike camera: no verb %q", verb)
	}
	if verb == gone {
		c.Switch(false)
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.verb, c.held = verb, nil
	if verb == black {
		c.covered = c.cover()
	}
	return nil
}

// Mend has the camera work again.
func (c *Camera) Mend() error {
	c.Switch(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.verb, c.held = "", nil
	return nil
}

// spoilLocked makes of the n-th picture what the fault leaves of it; not ok
// where none is sent. What is spoilt shows nothing of a traveller.
func (c *Camera) spoilLocked(n int64, s shot) (shot, bool) {
	switch c.verb {
	case black:
		s.frame = c.covered[n%2]
	case wrongSize:
		s.frame = small()[n%2]
	case frozen:
		if c.held == nil {
			c.held = &s
		}
		s = *c.held
	case slow:
		return s, n%(scene.FPS/5) == 0
	}
	return s, true
}

// cover makes pictures of the camera's own size with nothing on them. No two that
// follow each other are the same, as with any sensor.
func (c *Camera) cover() [2]scene.Frame {
	size, err := jpeg.DecodeConfig(bytes.NewReader(c.idle[0].JPEG))
	if err != nil {
		size.Width, size.Height = 1280, 720
	}
	return [2]scene.Frame{grey(size.Width, size.Height, 2), grey(size.Width, size.Height, 4)}
}

// small are pictures of another size than any camera here.
var small = sync.OnceValue(func() [2]scene.Frame { return [2]scene.Frame{grey(320, 240, 110), grey(320, 240, 114)} })

func grey(w, h int, level byte) scene.Frame {
	m := image.NewGray(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = level + byte(i%2) // not one single value: a decoder has something to do
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		return scene.Frame{} // never: a buffer takes everything
	}
	return scene.Frame{JPEG: b.Bytes()}
}
