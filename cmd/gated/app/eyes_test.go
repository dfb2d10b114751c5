package app

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"bordergate/gate"
	"bordergate/hal/vision"
)

func TestEyeShowsItsWorkersLives(t *testing.T) {
	var told []gate.Input
	e := &eye{camera: gate.FaceCamera, log: slog.New(slog.DiscardHandler), post: func(in gate.Input) { told = append(told, in) }}
	e.tell(vision.Up{PID: 1})
	e.tell(vision.CameraHealth{OK: true})
	e.tell(vision.CameraHealth{OK: true, Dark: true, Err: "nearly black"})
	if d := e.device(); !d.OK || d.Error != "nearly black" || d.Starts != 1 || d.LastCrash != "" || len(told) != 1 {
		t.Errorf("%+v after %d changes", d, len(told))
	}
	crash := &vision.Crash{At: time.Unix(0, 0), Error: "ended", Work: &vision.Trace{Stage: "feature", Frame: 7}}
	e.tell(vision.Down{Err: errors.New("ended"), Crash: crash})
	if d := e.device(); d.OK || d.Error != "ended" || !strings.Contains(d.LastCrash, "frame 7 (0x0), step feature") {
		t.Errorf("%+v", d)
	}
	e.tell(vision.Up{PID: 2})
	e.tell(vision.CameraHealth{OK: true})
	if d := e.device(); !d.OK || d.Error != "" || d.Starts != 2 || d.LastCrash == "" || len(told) != 3 {
		t.Errorf("%+v after %d changes", d, len(told))
	}
}
