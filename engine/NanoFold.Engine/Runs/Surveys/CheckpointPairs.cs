using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Runs.Surveys;

/// <summary>
/// Compares the checkpoints of a run: each with the last one as soon as it is measured, so that of the streams only two are in memory. Where a measure compares all with all,
/// those of every checkpoint are held. Models are read from their files when a measure asks for them, and closed after the pair.
/// </summary>
internal sealed class CheckpointPairs : IDisposable
{
    // Far more than runs of usual sizes take.
    private const double MostBytes = 16e9;

    private readonly SurveyedRun _run;
    private readonly GeometryProbe _probe;
    private readonly SurveyTaker _taker;
    private readonly CheckpointMeasure[] _measures;
    private readonly CheckpointMeasure[] _ofAllPairs;
    private readonly List<Seen> _held = [];
    private readonly List<Transformer> _opened = [];
    private CheckpointSample? _last;

    public CheckpointPairs(SurveyedRun run, GeometryProbe probe, IReadOnlyList<Measure> measures, SurveyTaker taker)
    {
        (_run, _probe, _taker) = (run, probe, taker);
        _measures = [.. measures.OfType<CheckpointMeasure>()];
        _ofAllPairs = [.. _measures.Where(measure => measure.AllPairs)];
    }

    /// <summary>Throws where two runs cannot be compared, or nothing of what is asked for would be.</summary>
    /// <exception cref="UserException">It is so.</exception>
    public static void Require(SurveyedRun run, SurveyedRun? against, SurveyOptions options)
    {
        if (against is null)
        {
            if (run.Checkpoints.Count == 1 && options.Dump is null && options.Measures.All(measure => measure is CheckpointMeasure))
            {
                throw UserException.Usage($"--measures: {Alone(options.Measures)}");
            }

            return;
        }

        if (!options.Measures.Any(measure => measure is CheckpointMeasure))
        {
            throw UserException.Usage("--against: none of the measures compares checkpoints; weight-change, hidden-shift, output-shift and checkpoint-similarity do");
        }

        (int Layers, int Width, int Vocab) first = (run.Config.Model.Layers, run.Config.Model.Width, run.Config.Model.Vocab);
        (int Layers, int Width, int Vocab) second = (against.Config.Model.Layers, against.Config.Model.Width, against.Config.Model.Vocab);
        string difference = first != second
            ? $"has {second.Layers} layers, width {second.Width} and a vocabulary of {second.Vocab}; {run.Path} has {first.Layers}, {first.Width} and {first.Vocab}"
            : run.Tokenizer?.Fingerprint != against.Tokenizer?.Fingerprint ? "has another tokenizer" : "";
        if (difference.Length > 0)
        {
            throw new UserException($"--against {against.Path}: {difference}; two models are compared on the same tokens, layer by layer");
        }
    }

    /// <summary>Throws where the other run's model cannot read as long windows.</summary>
    /// <exception cref="UserException">It cannot.</exception>
    public static void RequireContext(SurveyedRun run, SurveyedRun? against, int context)
    {
        if (against?.Config.Model.Context < context)
        {
            throw new UserException($"--against {against.Path}: its context is {against.Config.Model.Context}, and windows are of {context} tokens; exchange the two: --model {against.Path} --against {run.Path}");
        }
    }

    /// <summary>Looks at the last checkpoint, which all others are compared with, and compares it with that of another run.</summary>
    /// <param name="against">The other run, or null.</param>
    /// <param name="task">What models read.</param>
    /// <param name="note">Told, in a line, where there is nothing to compare.</param>
    /// <exception cref="UserException">There are too many of them to compare all with all.</exception>
    public void Begin(SurveyedRun? against, LearningTask task, Action<string> note)
    {
        int last = _run.Checkpoints.Count - 1;
        if (_measures.Length == 0)
        {
            return;
        }

        if (last == 0 && against is null)
        {
            note(Alone(_measures));
            return;
        }

        double held = _ofAllPairs.Length == 0 ? 0 : (double)_run.Checkpoints.Count * (_probe.Layers + 1) * _probe.Shape.Neighbors * _probe.Width * sizeof(float);
        if (held > MostBytes)
        {
            throw UserException.Usage(FormattableString.Invariant(
                $"--checkpoints: to compare all of {_run.Checkpoints.Count} with all (allPairs) takes {held / 1e9:0} GB of memory, and at most {MostBytes / 1e9:0} GB are supported; name fewer of them"));
        }

        _run.Load(last);
        _taker.Pass(_run.Checkpoints[last].Step, SurveyControl.None, _measures);
        _last = Sample(Look(_run, last, NameOf(_run, last), _probe), _opened);
        if (against is not null)
        {
            Add(Look(against, task, note));
        }
    }

    /// <summary>Compares a checkpoint whose pass was the last one.</summary>
    public void Compare(int checkpoint)
    {
        if (_last is not null && checkpoint < _run.Checkpoints.Count - 1)
        {
            Add(Look(_run, checkpoint, NameOf(_run, checkpoint), _probe));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _opened.ForEach(model => model.Dispose());

    private static string Alone(IEnumerable<Measure> measures) => $"{string.Join(", ", measures.Select(measure => measure.Kind).Distinct())}: compare checkpoints, and there is one; name another run with --against";

    private static string NameOf(SurveyedRun run, int checkpoint) => Path.GetFileName(run.Checkpoints[checkpoint].Path);

    private static Seen Look(SurveyedRun run, int checkpoint, string name, GeometryProbe probe)
        => new(name, run.Checkpoints[checkpoint].Step, probe.CopyStreams(), () => run.Open(checkpoint));

    // The last checkpoint of the other run, on the same tokens.
    private Seen Look(SurveyedRun other, LearningTask task, Action<string> note)
    {
        int last = other.Checkpoints.Count - 1;
        other.Load(last);
        using var probe = new GeometryProbe(other.Model, task, _probe.Shape, _measures, other.ArithmeticOn(other.Model.Backend, note));
        probe.Read();
        probe.Run(other.Checkpoints[last].Step, [.. Enumerable.Range(0, _measures.Length)], (_, _) => { }, () => true);
        return Look(other, last, $"{other.Name}/{NameOf(other, last)}", probe);
    }

    private void Add(Seen seen)
    {
        With(seen, second =>
        {
            foreach (Seen before in _held)
            {
                With(before, first => Compare(first, second, _ofAllPairs));
            }

            Compare(second, _last!, _measures);
        });
        if (_ofAllPairs.Length > 0)
        {
            _held.Add(seen);
        }
    }

    private void Compare(CheckpointSample first, CheckpointSample second, CheckpointMeasure[] measures)
    {
        foreach (CheckpointMeasure measure in measures)
        {
            _taker.Take(measure, new PlacedMeasure(CheckpointMeasure.PlaceOf(first), figures => measure.Take(first, second, figures)), second.Step, SurveyControl.None);
        }
    }

    private void With(Seen seen, Action<CheckpointSample> use)
    {
        var opened = new List<Transformer>();
        try
        {
            use(Sample(seen, opened));
        }
        finally
        {
            opened.ForEach(model => model.Dispose());
        }
    }

    private CheckpointSample Sample(Seen seen, List<Transformer> opened) => new(new Lazy<NetworkSample>(() =>
    {
        Transformer model = seen.Open();
        opened.Add(model);
        return _taker.NewNetwork() with { Model = model };
    }))
    {
        Name = seen.Name, Step = seen.Step, Streams = seen.Streams,
    };

    private sealed record Seen(string Name, long Step, IReadOnlyList<PointCloud> Streams, Func<Transformer> Open);
}
