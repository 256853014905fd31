using NanoFold.Engine.Autograd;
using NanoFold.Engine.Experiments.Scaling;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Experiments.Coordinates;

/// <summary>What is checked, and for how long.</summary>
public sealed record CoordinateOptions
{
    /// <summary>The widths of the models; layers are the recipe's in all of them.</summary>
    public required IReadOnlyList<int> Widths { get; init; }

    /// <summary>Kinds of parametrization: the recipe's own settings where it has that kind.</summary>
    public IReadOnlyList<string> Parametrizations { get; init; } = ["standard", "mup"];

    /// <summary>Steps that are taken, all at the peak of the learning rate and on one batch.</summary>
    public int Steps { get; init; } = 5;

    /// <summary>Figures are means over these.</summary>
    public IReadOnlyList<long> Seeds { get; init; } = [1, 2, 3];
}

/// <summary>Trains models of several widths on one batch for a few steps, and looks at their activations on that batch after each, as the published check does.</summary>
public static class CoordinateChecker
{
    /// <summary>Makes the check. Nothing is written.</summary>
    /// <param name="family">The recipe.</param>
    /// <param name="options">What is checked.</param>
    /// <param name="backend">Where it is computed.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <param name="cancel">Looked at between two steps.</param>
    /// <exception cref="UserException">A model has problems.</exception>
    public static CoordinateCheck Run(ModelFamily family, CoordinateOptions options, Backend backend, Action<string>? note = null, CancellationToken cancel = default)
    {
        // All of them before the first is trained.
        var configs = options.Parametrizations.ToDictionary(kind => kind, kind => options.Widths.Select(width => ConfigOf(family, kind, width, options.Steps)).ToArray());
        return new CoordinateCheck
        {
            Widths = options.Widths,
            Steps = options.Steps,
            Seeds = options.Seeds,
            Parametrizations = [.. configs.Select(pair =>
            {
                note?.Invoke($"coordinate check: {pair.Key}, widths {string.Join(", ", options.Widths)}");
                return Check(pair.Key, pair.Value, options, backend, cancel);
            })],
        };
    }

    /// <summary>The power of the width with which figures grow, by least squares on logarithms; figures of 0 are left out, NaN where fewer than two widths are left.</summary>
    internal static double Slope(IReadOnlyList<(double Width, double Value)> all)
    {
        (double Width, double Value)[] figures = [.. all.Where(figure => figure.Value > 0)];
        if (figures.Select(figure => figure.Width).Distinct().Count() < 2)
        {
            return double.NaN;
        }

        double meanX = figures.Average(f => Math.Log(f.Width)), meanY = figures.Average(f => Math.Log(f.Value));
        return figures.Sum(f => (Math.Log(f.Width) - meanX) * (Math.Log(f.Value) - meanY)) / figures.Sum(f => Math.Pow(Math.Log(f.Width) - meanX, 2));
    }

    private static RunConfig ConfigOf(ModelFamily family, string kind, int width, int steps)
    {
        List<string> settings = [$"train.steps={steps}", "train.warmup=0", "train.schedule=constant", "train.checkpointAtStart=false", "model.dropout=0", "geometry.enabled=false"];
        if (family.Recipe.Model.Parametrization.Kind != kind)
        {
            settings.Add($"model.parametrization={kind}");
        }

        return family.Asked(new ModelSize(width, family.Recipe.Model.Layers), settings);
    }

    private static ParametrizationCheck Check(string kind, RunConfig[] configs, CoordinateOptions options, Backend backend, CancellationToken cancel)
    {
        CoordinatePoint[] points =
        [
            .. configs.SelectMany(config => options.Seeds.SelectMany(seed => Measure(config with { Train = config.Train with { Seed = seed } }, options.Steps, backend, cancel)))
                .GroupBy(p => (p.Point, p.Width, p.Step))
                .Select(group => new CoordinatePoint(group.Key.Point, group.Key.Width, group.Key.Step, group.Average(p => p.Size), group.Average(p => p.Change)))
                .OrderBy(p => PointReader.Order(p.Point)).ThenBy(p => p.Width).ThenBy(p => p.Step),
        ];
        CoordinateSlope[] slopes =
        [
            .. points.Where(p => p.Step == options.Steps).GroupBy(p => p.Point).Select(group => new CoordinateSlope(
                group.Key, Slope([.. group.Select(p => ((double)p.Width, p.Size))]), Slope([.. group.Select(p => ((double)p.Width, p.Change))]))),
        ];
        return new ParametrizationCheck(kind, configs[0].Train.LearningRate!.Value, points, slopes);
    }

    private static List<CoordinatePoint> Measure(RunConfig config, int steps, Backend backend, CancellationToken cancel)
    {
        using TrainSession session = TrainSession.Open(config, backend, cancel: cancel);
        PointReader[] readers = [.. PointReader.Patterns.Select(pattern => new PointReader(pattern))];
        Trainer trainer = session.Trainer;
        trainer.Taps = new TapSet(readers);
        var points = new List<CoordinatePoint>();
        for (int step = 0; step <= steps; step++)
        {
            cancel.ThrowIfCancellationRequested();
            trainer.Begin(step, batch: 0);
            for (int i = 0; i < config.Train.Accumulate; i++)
            {
                trainer.Accumulate(i);
            }

            // Read before the update, so after as many as the step has before it.
            trainer.Update();
            points.AddRange(readers.Where(reader => reader.HasValues).Select(reader => reader.Take(config.Model.Width, step)));
        }

        return points;
    }
}
