using NanoFold.Engine.Experiments.Results;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Experiments.Scaling;

/// <summary>Makes the result of a grid from what its run folders hold.</summary>
public static class ScalingCollector
{
    // Points of the line of best sizes, and how far it goes beyond what was trained.
    private const int LinePoints = 6;
    private const double Beyond = 10;

    /// <summary>The result of the grid in a folder, of as many runs as have finished.</summary>
    /// <exception cref="UserException">The folder holds no grid, or a file cannot be read.</exception>
    public static ScalingResult Collect(string folder)
    {
        ScalingGrid grid = ScalingGrid.Load(folder);
        RunConfig recipe = grid.Sizes[0].Resolve();
        var reader = new RunReader(folder);
        (ScalingCell Cell, CollectedRun Run)[] all = [.. grid.Cells().Select(cell => (cell, reader.Read(cell.Run, recipe.Train.LearningRate)))];
        (ScalingCell Cell, CollectedRun Run)[] finished = [.. all.Where(pair => pair.Run.State == CollectedState.Finished && pair.Run.Validation.ContainsKey(FigureResult.Loss))];
        // All of what is held back where every run has that, so that one figure is compared.
        bool isFull = finished.Length > 0 && finished.All(pair => pair.Run.FullValidation.ContainsKey(FigureResult.Loss));
        ScalingRun[] runs =
        [
            .. finished.OrderBy(pair => pair.Cell.Size.Parameters).ThenBy(pair => pair.Cell.Tokens).ThenBy(pair => pair.Cell.Seed).Select(pair => new ScalingRun(
                pair.Run.Run, pair.Cell.Size.Name, pair.Cell.Seed, pair.Cell.Size.Parameters, pair.Run.Tokens, pair.Cell.Size.FlopsPerToken,
                (isFull ? pair.Run.FullValidation : pair.Run.Validation)[FigureResult.Loss], null, null, pair.Run.TokensPerSecond, pair.Run.Seconds)),
        ];
        return Of(runs) with
        {
            Title = $"{recipe.Task.Kind}: {(grid.Sizes.Count == 1 ? $"size {grid.Sizes[0].Name}" : $"{grid.Sizes.Count} sizes from {grid.Sizes[0].Name} to {grid.Sizes[^1].Name}")}, {(grid.Tokens.Count == 1 ? "1 number" : $"{grid.Tokens.Count} numbers")} of tokens{(grid.Seeds.Count > 1 ? $", {grid.Seeds.Count} seeds" : "")}",
            Task = recipe.Task.Kind,
            LossUnit = recipe.Model.Outputs > 0 ? "squared error" : "nats per token",
            Unfinished = [.. all.Select(pair => pair.Run).Except(finished.Select(pair => pair.Run))],
        };
    }

    /// <summary>Fits the law to runs.</summary>
    internal static ScalingResult Of(IReadOnlyList<ScalingRun> runs, int draws = ScalingFit.Draws)
    {
        ScalingPoint[] points = [.. runs.Select(run => new ScalingPoint(run.Parameters, run.Tokens, run.Loss))];
        string? reason = points.Any(point => !(point.Loss > 0)) ? "a loss is not above 0, of which the law has no logarithm" : ScalingFit.WhyNot(points);
        if (reason is not null)
        {
            return new ScalingResult { Title = "", Task = "", LossUnit = "", Runs = runs, WhyNot = reason, Summary = [$"No law was fitted: {reason}."] };
        }

        ScalingFit fit = ScalingFit.Of(points, draws);
        ComputePoint[] line = Line(fit.Law, points);
        return new ScalingResult
        {
            Title = "",
            Task = "",
            LossUnit = "",
            Runs = [.. runs.Zip(points, (run, point) => run with { Predicted = fit.Law.Loss(run.Parameters, run.Tokens), Residual = ScalingFit.Residual(fit.Law, point) })],
            Fit = fit,
            ComputeOptimal = line,
            Summary = [.. ScalingWords.Of(fit, points, line)],
        };
    }

    // From the least FLOPs of a run to the most, evenly on a logarithmic scale, and once beyond.
    private static ComputePoint[] Line(ScalingLaw law, ScalingPoint[] points)
    {
        double[] flops = [.. points.Select(p => ScalingLaw.FlopsPerParameterToken * p.Parameters * p.Tokens)];
        (double least, double most) = (flops.Min(), flops.Max());
        IEnumerable<double> at = Enumerable.Range(0, LinePoints).Select(i => least * Math.Pow(most / least, i / (LinePoints - 1.0))).Append(most * Beyond);
        return
        [
            .. at.Select(c =>
            {
                (double parameters, double tokens) = law.Best(c);
                bool isInside = parameters >= points.Min(p => p.Parameters) && parameters <= points.Max(p => p.Parameters) && tokens >= points.Min(p => p.Tokens) && tokens <= points.Max(p => p.Tokens);
                return new ComputePoint(c, parameters, tokens, law.Loss(parameters, tokens), !isInside);
            }),
        ];
    }
}
