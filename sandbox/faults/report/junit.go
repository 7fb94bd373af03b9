package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

type suite struct {
	XMLName  xml.Name `xml:"testsuite"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Skipped  int      `xml:"skipped,attr"`
	Time     string   `xml:"time,attr"`
	Cases    []test   `xml:"testcase"`
}

type test struct {
	Class   string   `xml:"classname,attr"`
	Name    string   `xml:"name,attr"`
	Time    string   `xml:"time,attr"`
	Failure *message `xml:"failure,omitempty"`
	Skipped *message `xml:"skipped,omitempty"`
}

type message struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes a test for each plan, and one for the clean runs.
func (r *Report) WriteJUnit(out io.Writer) error {
	s := suite{Name: "faults " + r.Sample, Time: seconds(r.Seconds)}
	clean := test{Class: "faults", Name: "clean", Time: seconds(0)}
	if r.Problem != "" {
		var b strings.Builder
		r.writeProblem(&b)
		clean.Failure = &message{Message: r.Problem, Text: b.String()}
	}
	s.Cases = append(s.Cases, clean)
	for _, p := range r.Plans {
		t := test{Class: "faults." + p.Fault, Name: p.Plan, Time: seconds(p.Seconds)}
		switch p.Outcome {
		case Failed:
			t.Failure = &message{Message: p.summary(), Text: p.Text(r.Clean)}
		case NotReached:
			t.Skipped = &message{Message: "not reached: " + p.Target}
		}
		s.Cases = append(s.Cases, t)
	}
	for _, name := range r.Skipped {
		s.Cases = append(s.Cases, test{Class: "faults", Name: name, Time: seconds(0), Skipped: &message{Message: "not run for lack of time"}})
	}
	for _, c := range s.Cases {
		s.Tests++
		if c.Failure != nil {
			s.Failures++
		}
		if c.Skipped != nil {
			s.Skipped++
		}
	}
	data, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the JUnit report: %w", err)
	}
	_, err = out.Write(append([]byte(xml.Header), append(data, '\n')...))
	return err
}

func seconds(s float64) string { return fmt.Sprintf("%.3f", s) }

// summary returns the first verdict, for a line.
func (p *Plan) summary() string {
	if len(p.Verdicts) == 0 {
		return p.Target
	}
	return p.Verdicts[0].Message
}
