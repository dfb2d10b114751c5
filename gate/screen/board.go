package screen

import (
	"bytes"
	"sync"
	"time"

	"bordergate/gate"
)

// langHold is how long a language that was chosen while nobody is served stays.
const langHold = 30 * time.Second

// maxPicture bounds one picture of the mirror, in bytes.
const maxPicture = 96 << 10

// board holds the newest of everything: what to show, in which language, and
// the mirror. Readers wait for a change and take what is newest then, so that
// one who is slow skips and nothing piles up.
type board struct {
	texts    map[string]Text
	standard string // the language of this place
	limits   map[gate.State]time.Duration
	now      func() int64
	camera   func(on bool) // the mirror's pictures are wanted, or not any more

	mu       sync.Mutex
	director *director
	scene    scene
	lang     string
	seq      uint64
	changed  chan struct{} // closed with the next change
	viewers  int
	wanted   bool
	picture  []byte
	frame    uint64
	drawn    chan struct{} // closed with the next picture
	forget   *time.Timer
}

func newBoard(texts map[string]Text, standard string, limits map[gate.State]time.Duration, now func() int64, camera func(bool)) *board {
	b := &board{
		texts: texts, standard: standard, lang: standard, limits: limits, now: now, camera: camera, director: newDirector(), seq: 1,
		changed: make(chan struct{}), drawn: make(chan struct{}),
	}
	b.scene = scene{state: gate.Closed, look: looks()[gate.Closed]}
	return b
}

// show takes a view of the lane.
func (b *board) show(v gate.View) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.director.take(v)
	if !ok || s.same(b.scene) && b.scene.look.step != "" {
		return
	}
	if s.look.step == StepWelcome && b.scene.look.step != StepWelcome {
		b.setLang(b.standard) // the next one's
	}
	b.scene = s
	b.turn()
	b.want()
}

// turn tells whoever waits that something has changed.
func (b *board) turn() {
	b.seq++
	close(b.changed)
	b.changed = make(chan struct{})
}

// choose takes the language that a traveller has touched; ok is false where
// there is no such one here.
func (b *board) choose(lang string) (ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.texts[lang]; !ok {
		return false
	}
	b.setLang(lang)
	b.turn()
	return true
}

// setLang sets the language; one that is not this place's is forgotten after a
// while in which nobody is served.
func (b *board) setLang(lang string) {
	b.lang = lang
	if b.forget != nil {
		b.forget.Stop()
		b.forget = nil
	}
	if lang != b.standard {
		b.forget = time.AfterFunc(langHold, b.fallBack)
	}
}

func (b *board) fallBack() {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.lang == b.standard:
	case b.scene.look.place > 0 || b.scene.look.step == StepOfficer:
		b.forget = time.AfterFunc(langHold, b.fallBack) // somebody still reads it
	default:
		b.setLang(b.standard)
		b.turn()
	}
}

// close ends what would run by itself.
func (b *board) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.forget != nil {
		b.forget.Stop()
	}
}

// newest is the message to show now, and what is closed when there is another.
func (b *board) newest() (Message, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.scene.message(b.lang, b.texts[b.lang], b.limits, b.now())
	m.Seq = b.seq
	return m, b.changed
}

// look counts who looks at the page; end takes him off again.
func (b *board) look() (end func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.viewers++
	b.want()
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.viewers--
		b.want()
	})
}

// want asks for the mirror's pictures, or ends them and drops the last.
func (b *board) want() {
	on := b.scene.look.camera && b.viewers > 0
	if on == b.wanted {
		return
	}
	b.wanted = on
	if !on {
		clear(b.picture)
		b.picture = nil
		b.draw()
	}
	b.camera(on)
}

func (b *board) draw() {
	b.frame++
	close(b.drawn)
	b.drawn = make(chan struct{})
}

// paint takes a picture of the face camera; it is copied.
func (b *board) paint(jpeg []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.wanted || len(jpeg) == 0 || len(jpeg) > maxPicture {
		return
	}
	clear(b.picture)
	b.picture = append(b.picture[:0], jpeg...)
	b.draw()
}

// reflection is the newest picture where it is newer than frame, and what is
// closed when there is another; nil where there is none to show. on is false
// where no step shows the mirror.
func (b *board) reflection(frame uint64) (jpeg []byte, number uint64, on bool, next <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.frame > frame && b.scene.look.mirror {
		jpeg = bytes.Clone(b.picture)
	}
	return jpeg, b.frame, b.wanted && b.scene.look.mirror, b.drawn
}
