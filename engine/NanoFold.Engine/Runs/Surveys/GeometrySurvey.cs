using System.Diagnostics;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs.Surveys;

/// <summary>Measures a run after training: all measures, over its checkpoints, beside the model untrained, on shuffled tokens, and with Gaussians in place of clouds.</summary>
public sealed class GeometrySurvey : IDisposable
{
    private readonly SurveyOptions _options;
    private readonly Action<string> _note;
    private readonly CancellationToken _cancel;
    private readonly SurveyedRun _run;
    private readonly SurveyedRun? _against;
    private readonly SurveyData _data;
    private readonly GeometryProbe _probe;
    private readonly OrderedDictionary<string, double> _seconds = [];
    private readonly Dictionary<(Measure Measure, FigurePlace Place, SurveyControl Control), Measured> _latest = [];
    private readonly List<WordTable> _words = [];

    private GeometrySurvey(SurveyedRun run, SurveyedRun? against, SurveyData data, GeometryProbe probe, SurveyOptions options, Action<string> note, CancellationToken cancel)
        => (_run, _against, _data, _probe, _options, _note, _cancel) = (run, against, data, probe, options, note, cancel);

    /// <summary>Where files go where nothing else is asked for: within a run's folder.</summary>
    public string DefaultFolder => _run.IsRun ? Path.Combine(_run.Path, "geometry") : $"geometry-{_run.Name}";

    /// <summary>Opens what is measured; all that can be wrong with what was asked for is found here.</summary>
    /// <param name="path">A run folder or a checkpoint.</param>
    /// <param name="options">What is measured.</param>
    /// <param name="backend">Where the model runs.</param>
    /// <param name="note">Told, in a line, what takes time and what is left out.</param>
    /// <param name="cancel">Ends measuring.</param>
    /// <exception cref="UserException">There is no such run, or it cannot be measured so.</exception>
    public static GeometrySurvey Open(string path, SurveyOptions options, Backend backend, Action<string> note, CancellationToken cancel = default)
    {
        // Read first: it takes no time.
        LabelFile? labels = options.Labels is { } file ? LabelFile.Read(file) : null;
        if (labels is not null && options.Data is null && options.Prompt is null)
        {
            throw UserException.Usage("--labels: are of a text; name it with --data or --prompt");
        }

        SurveyedRun run = SurveyedRun.Open(path, options.Checkpoints, backend);
        SurveyedRun? against = null;
        SurveyData? data = null;
        GeometryProbe? probe = null;
        try
        {
            against = options.Against is { } other ? SurveyedRun.Open(other, "last", backend) : null;
            RequireSame(run, against);
            data = SurveyData.Open(run.Config, run.Tokenizer, options, note, cancel);
            ProbeShape shape = ProbeShape.Of(
                options.Tokens ?? run.Config.Geometry.ProbeTokens, options.Neighbors ?? run.Config.Geometry.NeighborTokens, data.Context, data.Task.Places(TaskSplit.Probe));
            run.Load(run.Checkpoints.Count - 1);
            probe = new GeometryProbe(run.Model, data.Task, shape, options.Measures, ArithmeticOf(run, backend, note));
            probe.Read(labels is null ? null : rows => Labels(labels, data, probe, rows));
            var survey = new GeometrySurvey(run, against, data, probe, options, note, cancel);
            if (options.Dump is { } pattern)
            {
                ActivationDump.RequirePoints(pattern, survey.NewNetwork());
            }

            return survey;
        }
        catch
        {
            probe?.Dispose();
            data?.Dispose();
            against?.Dispose();
            run.Dispose();
            throw;
        }
    }

    /// <summary>Measures, and writes the files.</summary>
    /// <param name="folder">Where they go.</param>
    /// <exception cref="UserException">They cannot be written.</exception>
    /// <exception cref="OperationCanceledException">It was ended; nothing is written then.</exception>
    public SurveyResult Run(string folder)
    {
        using var log = new SurveyLog(folder);
        var samples = new List<CheckpointSample>();
        var opened = new List<IDisposable>();
        var taken = new List<(string Name, long Step, double Seconds)>();
        List<string> files = [Path.Combine(folder, SurveyLog.LinesFile), Path.Combine(folder, SurveyLog.ArraysFile)];
        try
        {
            for (int i = 0; i < _run.Checkpoints.Count; i++)
            {
                long started = Stopwatch.GetTimestamp(), step = _run.Checkpoints[i].Step;
                string name = Path.GetFileName(_run.Checkpoints[i].Path);
                _run.Load(i);
                _latest.Clear();
                _words.Clear();
                Take(log, step, SurveyControl.None, _options.Measures);
                Keep(_run, i, name, samples, opened);
                if (_options.Dump is { } pattern)
                {
                    files.AddRange(ActivationDump.Write(NewNetwork(), _probe, pattern, Path.Combine(folder, $"dump-{name}")));
                }

                taken.Add((name, step, Stopwatch.GetElapsedTime(started).TotalSeconds));
                _note($"{name}: measured in {taken[^1].Seconds:0.0} s");
            }

            Compare(log, samples, opened);
            TakeControls(log, _run.Checkpoints[^1].Step);
            log.Finish();
        }
        finally
        {
            opened.ForEach(one => one.Dispose());
        }

        return new SurveyResult(
            folder, files, log.Lines, _data.Name, _probe.Shape, taken, [.. _latest.Select(pair => (pair.Value, pair.Key.Control))],
            [.. _seconds.Select(pair => (pair.Key, pair.Value)).OrderByDescending(pair => pair.Value)],
            [.. _options.Measures.Where(measure => measure.Subject.Length > 0 && !_latest.Keys.Any(key => key.Measure == measure)).Select(measure => (measure.Kind, measure.Subject)).Distinct()])
        {
            Words = [.. _words],
        };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _probe.Dispose();
        _data.Dispose();
        _against?.Dispose();
        _run.Dispose();
    }

    private static IReadOnlyList<LabelColumn> Labels(LabelFile labels, SurveyData data, GeometryProbe probe, IReadOnlyList<long> rows)
    {
        int[] lengths = data.Task.Tokenizer?.ByteLengths.ToArray() ?? ((TextTask)data.Task).ByteLengths;
        return data.Text is { } text
            ? labels.Of(text, lengths, [.. rows.Select(row => row * probe.Shape.Time)], probe.Shape)
            : labels.OfPrompt(((PromptTask)data.Task).Tokens, lengths, probe.Shape);
    }

    private static void RequireSame(SurveyedRun run, SurveyedRun? other)
    {
        if (other is null)
        {
            return;
        }

        (int Layers, int Width, int Vocab) first = (run.Config.Model.Layers, run.Config.Model.Width, run.Config.Model.Vocab);
        (int Layers, int Width, int Vocab) second = (other.Config.Model.Layers, other.Config.Model.Width, other.Config.Model.Vocab);
        string difference = first != second
            ? $"has {second.Layers} layers, width {second.Width} and a vocabulary of {second.Vocab}; {run.Path} has {first.Layers}, {first.Width} and {first.Vocab}"
            : run.Tokenizer?.Fingerprint != other.Tokenizer?.Fingerprint ? "has another tokenizer" : "";
        if (difference.Length > 0)
        {
            throw new UserException($"--against {other.Path}: {difference}; two models are compared on the same tokens, layer by layer");
        }
    }

    // That of training, where the device has it.
    private static Arithmetic ArithmeticOf(SurveyedRun run, Backend backend, Action<string> note)
    {
        PrecisionKind precision = run.Config.Train.Precision;
        if (PrecisionCheck.Can(precision, backend))
        {
            return precision.Arithmetic();
        }

        note($"{run.Path}: was trained in {precision.Name()}, which {backend.Name} does not compute; measured in fp32");
        return default;
    }

    private NetworkSample NewNetwork() => _probe.NewNetwork(_options.Seed, _run.Tokenizer);

    // One pass, and what is measured of it.
    private void Take(SurveyLog log, long step, SurveyControl control, IReadOnlyList<Measure> measures)
    {
        long started = Stopwatch.GetTimestamp();
        double measuring = 0;
        _probe.Network = NewNetwork();
        int[] due = [.. Enumerable.Range(0, _options.Measures.Count).Where(i => measures.Contains(_options.Measures[i]))];
        _probe.Run(step, due, (measure, placed) =>
        {
            _cancel.ThrowIfCancellationRequested();
            measuring += Take(log, _options.Measures[measure], placed, step, control);
        }, () => true);
        Spend(MeasureCost.Passes, Stopwatch.GetElapsedTime(started).TotalSeconds - measuring);
    }

    private double Take(SurveyLog log, Measure measure, PlacedMeasure placed, long step, SurveyControl control)
    {
        long started = Stopwatch.GetTimestamp();
        var figures = new FigureWriter(wantsArrays: true);
        placed.Take(figures);
        _words.AddRange(control == SurveyControl.None ? figures.Words : []);
        foreach ((FigurePlace place, FigureWriter written) in figures.ByPlace(placed.Place))
        {
            var measured = new Measured(measure, place, step, written.Figures);
            _latest[(measure, place, control)] = measured;
            log.Add(measured, written.Arrays, control);
        }

        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        Spend(measure.Kind, seconds);
        return seconds;
    }

    private void Spend(string measure, double seconds) => _seconds[measure] = _seconds.GetValueOrDefault(measure) + seconds;

    private void TakeControls(SurveyLog log, long step)
    {
        // What a model was the time before is another's.
        Measure[] measures = [.. _options.Measures.Where(measure => measure is not StepMeasure)];
        if (_options.Controls.Contains(SurveyControl.Gaussian))
        {
            _probe.IsGaussian = true;
            Take(log, step, SurveyControl.Gaussian, [.. measures.Where(measure => measure is PointMeasure or PairMeasure or ModelMeasure)]);
            _probe.IsGaussian = false;
        }

        if (_options.Controls.Contains(SurveyControl.Untrained))
        {
            _run.Draw();
            Take(log, 0, SurveyControl.Untrained, measures);
            _run.Load(_run.Checkpoints.Count - 1);
        }

        if (_options.Controls.Contains(SurveyControl.Shuffled))
        {
            if (_probe.Shuffle(_options.Seed))
            {
                Take(log, step, SurveyControl.Shuffled, [.. measures.Where(measure => measure is not WeightMeasure)]);
            }
            else
            {
                _note("controls: the model reads no tokens, so none are shuffled");
            }
        }
    }

    private void Keep(SurveyedRun run, int checkpoint, string name, List<CheckpointSample> samples, List<IDisposable> opened)
    {
        if (_options.Measures.Any(measure => measure is CheckpointMeasure))
        {
            samples.Add(Sample(run, checkpoint, name, _probe.CopyStreams(), opened));
        }
    }

    private CheckpointSample Sample(SurveyedRun run, int checkpoint, string name, IReadOnlyList<PointCloud> streams, List<IDisposable> opened) => new(new Lazy<NetworkSample>(() =>
    {
        Model.Transformer model = run.Open(checkpoint);
        opened.Add(model);
        return NewNetwork() with { Model = model };
    }))
    {
        Name = name, Step = run.Checkpoints[checkpoint].Step, Streams = streams,
    };

    private void Compare(SurveyLog log, List<CheckpointSample> samples, List<IDisposable> opened)
    {
        CheckpointMeasure[] measures = [.. _options.Measures.OfType<CheckpointMeasure>()];
        if (measures.Length == 0)
        {
            return;
        }

        if (_against is not null)
        {
            samples.Insert(0, Other(opened));
        }

        if (samples.Count == 1)
        {
            _note($"{string.Join(", ", measures.Select(measure => measure.Kind).Distinct())}: compare checkpoints, and there is one; name another run with --against");
        }

        foreach (CheckpointMeasure measure in measures)
        {
            for (int j = 1; j < samples.Count; j++)
            {
                for (int i = 0; i < j && (measure.AllPairs || j == samples.Count - 1); i++)
                {
                    _cancel.ThrowIfCancellationRequested();
                    (CheckpointSample first, CheckpointSample second) = (samples[i], samples[j]);
                    Take(log, measure, new PlacedMeasure(CheckpointMeasure.PlaceOf(first), figures => measure.Take(first, second, figures)), second.Step, SurveyControl.None);
                }
            }
        }
    }

    // The last checkpoint of the other run, on the same tokens.
    private CheckpointSample Other(List<IDisposable> opened)
    {
        SurveyedRun other = _against!;
        other.Load(other.Checkpoints.Count - 1);
        using var probe = new GeometryProbe(other.Model, _data.Task, _probe.Shape, _options.Measures, ArithmeticOf(other, other.Model.Backend, _note));
        probe.Read();
        probe.Run(other.Checkpoints[^1].Step, [.. Enumerable.Range(0, _options.Measures.Count).Where(i => _options.Measures[i] is CheckpointMeasure)], (_, _) => { }, () => true);
        return Sample(other, other.Checkpoints.Count - 1, $"{other.Name}/{Path.GetFileName(other.Checkpoints[^1].Path)}", probe.CopyStreams(), opened);
    }
}
