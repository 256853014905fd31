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
            CheckpointPairs.Require(run, against, options);
            data = SurveyData.Open(run.Config, run.Tokenizer, options, note, cancel);
            CheckpointPairs.RequireContext(run, against, data.Context);
            ProbeShape shape = ProbeShape.Of(
                options.Tokens ?? run.Config.Geometry.ProbeTokens, options.Neighbors ?? run.Config.Geometry.NeighborTokens, data.Context, data.Task.Places(TaskSplit.Probe));
            run.Load(run.Checkpoints.Count - 1);
            probe = new GeometryProbe(run.Model, data.Task, shape, options.Measures, run.ArithmeticOn(backend, note));
            probe.Read(labels is null ? null : rows => Labels(labels, data, probe, rows));
            if (options.Dump is { } pattern)
            {
                ActivationDump.RequirePoints(pattern, run.Model);
            }

            return new GeometrySurvey(run, against, data, probe, options, note, cancel);
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
        using var files = new SurveyLog(folder);
        var taker = new SurveyTaker(_run, _probe, _options, files, _cancel);
        using var pairs = new CheckpointPairs(_run, _probe, _options.Measures, taker);
        var taken = new List<(string Name, long Step, double Seconds)>();
        pairs.Begin(_against, _data.Task, _note);
        for (int i = 0; i < _run.Checkpoints.Count; i++)
        {
            long started = Stopwatch.GetTimestamp(), step = _run.Checkpoints[i].Step;
            string name = Path.GetFileName(_run.Checkpoints[i].Path);
            _run.Load(i);
            if (_options.Dump is { } pattern)
            {
                ActivationDump.Write(taker.NewNetwork(), _probe, pattern, files, $"dump-{name}");
            }

            taker.Forget();
            taker.Pass(step, SurveyControl.None, _options.Measures);
            pairs.Compare(i);
            taken.Add((name, step, Stopwatch.GetElapsedTime(started).TotalSeconds));
            _note($"{name}: measured in {taken[^1].Seconds:0.0} s");
        }

        TakeControls(taker, _run.Checkpoints[^1].Step);
        files.Finish();
        return new SurveyResult(
            folder, files.Paths, files.Lines, _data.Name, _probe.Shape, taken, taker.Latest, taker.Costs,
            [.. _options.Measures.Where(measure => measure.Subject.Length > 0 && !taker.Found(measure)).Select(measure => (measure.Kind, measure.Subject)).Distinct()])
        {
            Words = taker.Words,
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

    private void TakeControls(SurveyTaker taker, long step)
    {
        // What a model was the time before is another's.
        Measure[] measures = [.. _options.Measures.Where(measure => measure is not StepMeasure)];
        if (_options.Controls.Contains(SurveyControl.Gaussian))
        {
            _probe.IsGaussian = true;
            taker.Pass(step, SurveyControl.Gaussian, [.. measures.Where(measure => measure is PointMeasure or PairMeasure or ModelMeasure)]);
            _probe.IsGaussian = false;
        }

        if (_options.Controls.Contains(SurveyControl.Untrained))
        {
            _run.Draw();
            taker.Pass(0, SurveyControl.Untrained, measures);
            _run.Load(_run.Checkpoints.Count - 1);
        }

        if (_options.Controls.Contains(SurveyControl.Shuffled))
        {
            if (_probe.Shuffle(_options.Seed))
            {
                taker.Pass(step, SurveyControl.Shuffled, [.. measures.Where(measure => measure.IsOfTokens)]);
            }
            else
            {
                _note("controls: the model reads no tokens, so none are shuffled");
            }
        }
    }
}
