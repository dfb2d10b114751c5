package app

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/hal/vision"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// When pictures are kept, in the words of the configuration.
const (
	imagesOff        = "off"
	imagesExceptions = "exceptions"
	imagesAll        = "all"
)

// Bounds of evidence.
const (
	// maxWishes bounds the records that wait for their picture.
	maxWishes = 8
	// Early and late are how far from its record a picture may lie: beyond, it
	// may show somebody else.
	imageEarly = 500 * time.Millisecond
	imageLate  = 1500 * time.Millisecond
)

// KindStill is the kind of a record that holds a picture.
const KindStill = "still"

// still is the part of a picture's record that names nobody.
type still struct {
	For     string          `json:"for"` // kind of the record it belongs to
	Reasons []reason.Reason `json:"reasons"`
	Camera  string          `json:"camera"`
	Width   int             `json:"width"`
	Height  int             `json:"height"`
}

// evidence keeps pictures of the face camera where the station's rule asks for
// one: a still of the moment, sealed under the day's key of its class, in the
// journal's stream of lowest rank. It never blocks the lane, and a picture that
// cannot be had or kept is missing and nothing more.
type evidence struct {
	images  func() string // the rule as it is now
	journal *journal.Journal
	clock   gate.Clock
	log     *slog.Logger
	ask     func() // the face camera for a still; never blocks

	mu     sync.Mutex
	wishes []gate.Entry
	failed error // why the last picture was not kept; nil: it was
}

// kept notes what became of a picture.
func (v *evidence) kept(err error) {
	v.mu.Lock()
	v.failed = err
	v.mu.Unlock()
	if err != nil {
		v.log.Warn("Picture is not kept", "error", err)
	}
}

// lost is why the last picture was not kept, or nil.
func (v *evidence) lost() error {
	if v == nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.failed
}

// wants asks for a picture for a record that is being made.
func (v *evidence) wants(e gate.Entry) {
	if v == nil || v.ask == nil || !v.asks(e) {
		return
	}
	v.mu.Lock()
	if len(v.wishes) < maxWishes {
		v.wishes = append(v.wishes, e)
	}
	v.mu.Unlock()
	v.ask()
}

// doubts are the reasons for which an officer wants to see the face.
var doubts = []reason.Reason{
	reason.FaceMany, reason.FaceQuality, reason.FaceMismatch, reason.LivenessAttack, reason.LivenessUndecided,
	reason.Tailgating, reason.WrongWay, reason.Forced,
}

func (v *evidence) asks(e gate.Entry) bool {
	images := v.images()
	switch {
	case images != imagesExceptions && images != imagesAll:
		return false
	case e.Kind == gate.EntryDecision:
		return images == imagesAll || doubtful(e.Public.Reasons)
	case e.Kind == gate.EntryAlarm:
		return doubtful(e.Public.Reasons)
	default:
		// What was decided has its picture; a grant taken back or withheld has
		// none yet.
		return e.Kind == gate.EntryOutcome && (e.Public.Revoked || e.Public.Withheld) && doubtful(e.Public.Reasons)
	}
}

func doubtful(reasons []reason.Reason) bool {
	return slices.ContainsFunc(reasons, func(r reason.Reason) bool { return slices.Contains(doubts, r) })
}

// image keeps a still for every record that waits for one.
func (v *evidence) image(m vision.Image) {
	if v == nil {
		return
	}
	v.mu.Lock()
	wishes := v.wishes
	v.wishes = nil
	v.mu.Unlock()
	for _, e := range wishes {
		if d := time.Duration(m.FrameAt - e.At); d < -imageEarly || d > imageLate {
			continue
		}
		if err := v.keep(e, m); err != nil {
			v.kept(err)
		}
	}
}

func (v *evidence) keep(e gate.Entry, m vision.Image) error {
	now, trust, _ := v.clock.Wall()
	return v.journal.AppendAsync(journal.Draft{
		Stream: wire.StreamImage, Kind: KindStill, Tx: e.Tx, Personal: m.JPEG, Class: vault.ClassImage,
		Public: still{For: e.Kind, Reasons: e.Public.Reasons, Camera: "face", Width: m.Width, Height: m.Height},
		Mono:   m.FrameAt, Wall: now.UnixNano(), Trust: uint8(trust),
	}, func(_ journal.Position, err error) { v.kept(err) })
}
