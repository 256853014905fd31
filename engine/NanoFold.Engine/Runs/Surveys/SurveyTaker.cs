using System.Diagnostics;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;

namespace NanoFold.Engine.Runs.Surveys;

/// <summary>
/// Takes measures of what a run's model is at the moment. Lines and arrays go to the files at once; the figures of the last checkpoint, and what each measure cost, stay for
/// the tables.
/// </summary>
internal sealed class SurveyTaker(SurveyedRun run, GeometryProbe probe, SurveyOptions options, SurveyLog files, CancellationToken cancel)
{
    private readonly OrderedDictionary<string, double> _seconds = [];
    private readonly OrderedDictionary<(Measure Measure, FigurePlace Place, SurveyControl Control), Measured> _latest = [], _pairs = [];
    private readonly List<WordTable> _words = [];

    /// <summary>Of the last checkpoint, of what it is held against, and of pairs of checkpoints.</summary>
    public IReadOnlyList<(Measured Measured, SurveyControl Control)> Latest => [.. _latest.Concat(_pairs).Select(pair => (pair.Value, pair.Key.Control))];

    /// <summary>Seconds of each measure and of passes, the most expensive first.</summary>
    public IReadOnlyList<(string Measure, double Seconds)> Costs => [.. _seconds.Select(pair => (pair.Key, pair.Value)).OrderByDescending(pair => pair.Value)];

    /// <summary>Tables of words of the last checkpoint.</summary>
    public IReadOnlyList<WordTable> Words => [.. _words];

    /// <summary>Whether a measure found anything in the last checkpoint.</summary>
    public bool Found(Measure measure) => _latest.Concat(_pairs).Any(pair => pair.Key.Measure == measure);

    /// <summary>The model with the tokens.</summary>
    public NetworkSample NewNetwork() => probe.NewNetwork(options.Seed, run.Tokenizer);

    /// <summary>Forgets the figures of a checkpoint before: another one is measured.</summary>
    public void Forget()
    {
        _latest.Clear();
        _words.Clear();
    }

    /// <summary>One pass, and what is measured of it.</summary>
    /// <param name="step">Steps that the model has taken.</param>
    /// <param name="control">What it is in place of the model on its tokens.</param>
    /// <param name="measures">Some of the options'.</param>
    public void Pass(long step, SurveyControl control, IReadOnlyList<Measure> measures)
    {
        long started = Stopwatch.GetTimestamp();
        double measuring = 0;
        probe.Network = NewNetwork();
        int[] due = [.. Enumerable.Range(0, options.Measures.Count).Where(i => measures.Contains(options.Measures[i]))];
        probe.Run(step, due, (measure, placed) => measuring += Take(options.Measures[measure], placed, step, control), () => !cancel.IsCancellationRequested);
        cancel.ThrowIfCancellationRequested();
        Spend(MeasureCost.Passes, Stopwatch.GetElapsedTime(started).TotalSeconds - measuring);
    }

    /// <summary>Takes a measure at a place.</summary>
    /// <returns>The seconds that it took.</returns>
    public double Take(Measure measure, PlacedMeasure placed, long step, SurveyControl control)
    {
        cancel.ThrowIfCancellationRequested();
        long started = Stopwatch.GetTimestamp();
        var figures = new FigureWriter(wantsArrays: true);
        placed.Take(figures);
        _words.AddRange(control == SurveyControl.None ? figures.Words : []);
        foreach ((FigurePlace place, FigureWriter written) in figures.ByPlace(placed.Place))
        {
            var measured = new Measured(measure, place, step, written.Figures);
            (measure is CheckpointMeasure ? _pairs : _latest)[(measure, place, control)] = measured;
            files.Add(measured, written.Arrays, control);
        }

        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        Spend(measure.Kind, seconds);
        return seconds;
    }

    private void Spend(string measure, double seconds) => _seconds[measure] = _seconds.GetValueOrDefault(measure) + seconds;
}
