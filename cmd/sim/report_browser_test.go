package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	browserlog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser starts a headless chromium for the tests of a page. Without one they are skipped.
func browser(t *testing.T) context.Context {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		options := append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1340, 900), chromedp.UserDataDir(t.TempDir()),
			chromedp.DisableGPU, chromedp.Env("LANG=C.UTF-8"), chromedp.WSURLReadTimeout(2*time.Minute))
		ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
		t.Cleanup(cancel)
		ctx, cancel = chromedp.NewContext(ctx)
		t.Cleanup(cancel)
		if err := chromedp.Do(ctx); err != nil {
			t.Fatalf("start %s: %v", path, err)
		}
		return ctx
	}
	t.Skip("no chromium on PATH: the pages of sim report are not looked at (Debian's package is called chromium)")
	return nil
}

// tab is a page that is open.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	troubles []string // errors on the console, and requests to others
}

// openTab opens a page, as a file or from a server on loopback, and waits until it has
// drawn itself. When the test ends nothing may have gone wrong in it.
func openTab(t *testing.T, in context.Context, page []byte, served bool) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(in)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx}
	if err := chromedp.Do(ctx); err != nil { // opens the tab, which lives as long as the test
		t.Fatal(err)
	}
	b.ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	address := b.place(page, served)
	if err := chromedp.Listen(b.ctx, func(event any) { b.watch(event, address) }); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(b.ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Navigate(address))
	b.wait(`document.documentElement.dataset.ready === "yes" && window.report.times.frames > 0`)
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, trouble := range b.troubles {
			t.Errorf("in the page: %s", trouble)
		}
	})
	return b
}

func (b *tab) place(page []byte, served bool) string {
	if served {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Write(page)
		}))
		b.t.Cleanup(server.Close)
		return server.URL + "/"
	}
	file := filepath.Join(b.t.TempDir(), "run.html")
	if err := os.WriteFile(file, page, 0o644); err != nil {
		b.t.Fatal(err)
	}
	return (&url.URL{Scheme: "file", Path: file}).String()
}

// watch notes what a page that keeps to itself does not do.
func (b *tab) watch(event any, address string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.troubles = append(b.troubles, fmt.Sprintf("exception: %s %v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		b.troubles = append(b.troubles, fmt.Sprintf("console: %v %v", e.Type, e.Args))
	case *browserlog.EventEntryAdded:
		b.troubles = append(b.troubles, "console: "+e.Entry.Text)
	case *network.EventRequestWillBeSent:
		if own := strings.TrimSuffix(e.Request.URL, "/") == strings.TrimSuffix(address, "/"); !own && !strings.HasPrefix(e.Request.URL, "data:") && !strings.HasPrefix(e.Request.URL, "blob:") {
			b.troubles = append(b.troubles, "request: "+e.Request.URL)
		}
	}
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// js evaluates an expression; a promise is waited for.
func js[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// wait waits until a condition of the page is true.
func (b *tab) wait(condition string) {
	b.t.Helper()
	b.do(chromedp.Poll[chromedp.Void](condition, chromedp.WithPollingTimeout(2*time.Minute)))
}

// check holds that a condition of the page is true, after it has drawn itself.
func (b *tab) check(what, condition string) {
	b.t.Helper()
	b.settle()
	if !js[bool](b, condition) {
		b.t.Errorf("%s: %s is false", what, condition)
	}
}

// settle lets the page draw what has changed.
func (b *tab) settle() {
	b.t.Helper()
	js[bool](b, `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`)
}

func (b *tab) keys(text string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(text))
	b.settle()
}

// click clicks where a canvas has a point of its own.
func (b *tab) click(canvas string, point [2]float64) {
	b.t.Helper()
	box := js[[2]float64](b, `(() => { const r = document.getElementById("`+canvas+`").getBoundingClientRect(); return [r.left, r.top]; })()`)
	b.do(chromedp.MouseClickXY(box[0]+point[0], box[1]+point[1]))
	b.settle()
}

// picture writes what is seen into a file, when somebody asked for that.
func (b *tab) picture(name string) {
	b.t.Helper()
	if *pictures == "" {
		return
	}
	b.settle()
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*pictures, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
