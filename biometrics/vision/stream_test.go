package vision

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// raw is a camera that answers each request with what answer writes; it is reached by its dialer alone, in the test's own time.
func raw(t *testing.T, answer func(r *http.Request, w io.Writer)) dialer {
	t.Helper()
	var cameras sync.WaitGroup
	t.Cleanup(cameras.Wait)
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		cameras.Go(func() {
			defer far.Close()
			r, err := http.ReadRequest(bufio.NewReader(far))
			if err != nil {
				return
			}
			answer(r, far)
			// Held open until the other end goes.
			_, _ = io.Copy(io.Discard, far)
		})
		return near, nil
	}
}

const (
	okHead   = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n"
	okStream = okHead + "\r\n"
	onePart  = "--frame\r\nContent-Length: 3\r\n\r\none\r\n"
)

// says answers with fixed words and nothing more.
func says(words ...string) func(*http.Request, io.Writer) {
	return func(_ *http.Request, w io.Writer) {
		for _, s := range words {
			if _, err := io.WriteString(w, s); err != nil {
				return
			}
		}
	}
}

// drip says one thing slowly, again and again.
func drip(first, then string, every time.Duration) func(*http.Request, io.Writer) {
	return func(_ *http.Request, w io.Writer) {
		_, err := io.WriteString(w, first)
		for err == nil {
			<-time.After(every)
			_, err = io.WriteString(w, then)
		}
	}
}

// gather reads a stream until it fails and tells how long that took.
func gather(t *testing.T, address string, dial dialer) (list []string, took time.Duration, err error) {
	t.Helper()
	began := time.Now()
	s, err := openStream(t.Context(), address, quietLimit, dial, clock())
	if err != nil {
		return nil, time.Since(began), err
	}
	defer s.close()
	for {
		p, err := s.next(t.Context())
		if err != nil {
			return list, time.Since(began), err
		}
		list = append(list, string(p.data))
		s.give(p)
	}
}

// TestStreamGivesUp has every kind of camera that is none. Each is given up with a reason and in time, and leaves nothing running,
// which the test's bubble sees to.
func TestStreamGivesUp(t *testing.T) {
	moved := "HTTP/1.1 302 Found\r\nLocation: http://elsewhere/face\r\nContent-Length: 0\r\n\r\n"
	for name, c := range map[string]struct {
		answer func(*http.Request, io.Writer)
		parts  int
		want   string
		took   time.Duration
	}{
		"says nothing":          {says(), 0, "no answer", quietLimit},
		"half an answer":        {says(okHead), 0, "no answer", quietLimit},
		"endless answer":        {drip(okHead, "X-Y: z\r\n", time.Second), 0, "no answer", quietLimit},
		"giant answer":          {drip(okHead, "X-Y: "+strings.Repeat("z", 10_000)+"\r\n", 0), 0, "header", 0},
		"no frame":              {says(okStream), 0, "no whole frame", quietLimit},
		"stalls between frames": {says(okStream, onePart), 1, "no whole frame", quietLimit},
		"stalls inside a frame": {says(okStream, onePart, "--frame\r\nContent-Length: 9\r\n\r\ntw"), 1, "no whole frame", quietLimit},
		"drips":                 {drip(okStream+onePart+"--frame\r\nContent-Length: 900\r\n\r\n", "x", time.Second), 1, "no whole frame", quietLimit},
		"endless part header":   {drip(okStream+onePart+"--frame\r\n", "X-Y: z\r\n", 0), 1, "header is longer", 0},
		"slow part header":      {drip(okStream+onePart+"--frame\r\n", "X-Y: z\r\n", time.Second), 1, "no whole frame", quietLimit},
		"giant part":            {says(okStream, onePart+"--frame\r\nContent-Length: 8388609\r\n\r\n"), 1, "larger than", 0},
		"giant part, no length": {drip(okStream+onePart+"--frame\r\n\r\n", strings.Repeat("x", 1<<20), 0), 1, "larger than", 0},
		"picture, not a stream": {says("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n", "x"), 0, `gives "image/jpeg"`, 0},
		"page":                  {says("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"), 0, `gives "text/html"`, 0},
		"packed":                {says(okHead + "Content-Encoding: gzip\r\n\r\n"), 0, "packed", 0},
		"wants a password":      {says("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"x\"\r\n\r\n"), 0, "sign-in", 0},
		"not found":             {says("HTTP/1.1 404 Not Found\r\n\r\n"), 0, "status 404", 0},
		"sends on":              {says(moved), 0, "another place", 0},
		"sends on to itself":    {says(strings.Replace(moved, "elsewhere", "camera", 1)), 0, "another place", 0},
		"speaks something else": {says("SSH-2.0-OpenSSH\r\n"), 0, "malformed", 0},
		"ends":                  {says(okHead+"Content-Length: 50\r\n\r\n", (onePart + onePart)[:50]), 1, "stream ends inside", 0},
		"ends as it should":     {says(okStream, onePart, "--frame--\r\n"), 1, "ended the stream", 0},
		"stops within its end":  {says("HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\n\r\n", onePart, "--frame--"), 1, "", quietLimit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				list, took, err := gather(t, "http://camera/face", raw(t, c.answer))
				if len(list) != c.parts || err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%d parts, %v", len(list), err)
				}
				// The limit is for the answer and again for each frame.
				if took < c.took || took > 2*c.took {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestStreamSaysNoPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan string, 1)
		_, _, err := gather(t, "http://user:geheim@camera/face?key=geheim", raw(t, func(r *http.Request, w io.Writer) {
			name, password, _ := r.BasicAuth()
			got <- name + " " + password
			says("nonsense\r\n")(r, w)
		}))
		if s := <-got; s != "user geheim" {
			t.Errorf("signed in as %q", s)
		}
		if err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("error %v", err)
		}
	})
}

// TestStreamReadsWhatCamerasSend has one stream in several dresses.
func TestStreamReadsWhatCamerasSend(t *testing.T) {
	chunked := func(s string) (out string) {
		for len(s) > 0 {
			n := min(7, len(s))
			out += fmt.Sprintf("%x\r\n%s\r\n", n, s[:n])
			s = s[n:]
		}
		return out + "0\r\n\r\n"
	}
	for name, answer := range map[string]string{
		"plain":    okStream + onePart + "--frame--",
		"chunked":  okHead + "Transfer-Encoding: chunked\r\n\r\n" + chunked(onePart+"--frame--\r\n"),
		"HTTP/1.0": strings.Replace(okStream, "1.1", "1.0", 1) + onePart + "--frame--\r\n",
		"no bound": strings.Replace(okStream, "; boundary=frame", "", 1) + onePart + "--frame--\r\n",
		"dashes":   strings.Replace(okStream, "=frame", "=--frame", 1) + onePart + "--frame--\r\n",
		"quotes":   strings.Replace(okStream, "=frame", `="frame"`, 1) + onePart + "--frame--\r\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			list, _, err := gather(t, "http://camera/face", raw(t, func(r *http.Request, w io.Writer) {
				says(answer)(r, w)
				_ = w.(io.Closer).Close()
			}))
			if len(list) != 1 || list[0] != "one" || err == nil || !strings.Contains(err.Error(), "ended the stream") {
				t.Errorf("%s: %q, %v", name, list, err)
			}
		})
	}
}

// TestStreamFollowsOnItsOwnHost has a camera whose address leads to another page of it.
func TestStreamFollowsOnItsOwnHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list, _, err := gather(t, "http://user:x@camera/", raw(t, func(r *http.Request, w io.Writer) {
			if _, _, ok := r.BasicAuth(); r.URL.Path != "/face" || !ok {
				says("HTTP/1.1 302 Found\r\nLocation: /face\r\nContent-Length: 0\r\n\r\n")(r, w)
				return
			}
			says(okStream, onePart, "--frame--\r\n")(r, w)
		}))
		if len(list) != 1 {
			t.Errorf("%q, %v", list, err)
		}
	})
}

// TestStreamKeepsTheNewest has a reader that is late: it gets the newest part, and is told how many it missed.
func TestStreamKeepsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := openStream(t.Context(), "http://camera/face", quietLimit, raw(t, says(okStream, onePart, onePart, strings.Replace(onePart, "one", "six", 1))), clock())
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		synctest.Wait()
		if p, err := s.next(t.Context()); err != nil || string(p.data) != "six" || p.count != 3 {
			t.Errorf("%q, %d, %v", p.data, p.count, err)
		}
	})
}

// TestStreamEndsAtOnce ends the caller's context while the stream is opened, and while it is silent.
func TestStreamEndsAtOnce(t *testing.T) {
	for _, words := range []string{"", okStream} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var over atomic.Bool
			go func() {
				defer over.Store(true)
				s, err := openStream(ctx, "http://camera/face", quietLimit, raw(t, says(words)), clock())
				if err == nil {
					_, err = s.next(ctx)
					s.close()
				}
				if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}()
			synctest.Wait()
			if over.Load() {
				t.Error("given up before its time")
			}
			cancel()
			synctest.Wait()
			if !over.Load() {
				t.Error("still waits")
			}
		})
	}
}
