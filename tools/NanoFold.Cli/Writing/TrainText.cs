using System.Globalization;
using NanoFold.Engine;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;

namespace NanoFold.Cli.Writing;

/// <summary>What is said of a run that trains, in words.</summary>
/// <param name="unit">Of its losses.</param>
/// <param name="flopsPerToken">Of its steps; 0 where they are not told.</param>
/// <param name="peak">FLOP in a second that the device does at most.</param>
internal sealed class TrainText(LossUnit unit, double flopsPerToken, double peak)
{
    /// <summary>How many parameters a model has.</summary>
    public static string Parameters(ParameterStore store)
    {
        long all = store.Parameters.Sum(p => p.Layout.Count);
        return $"{Display.Count(all)} parameters{(store.Count < all ? $" of which {Display.Count(store.Count)} are trained" : "")}";
    }

    /// <summary>How fast it goes, and how long still.</summary>
    public string Rates(in StepReport report)
    {
        string share = flopsPerToken == 0 ? ""
            : string.Create(CultureInfo.InvariantCulture, $"  {(peak > 0 ? report.TokensPerSecond * flopsPerToken / peak : 0):P0} of peak");
        return string.Create(CultureInfo.InvariantCulture, $"{report.TokensPerSecond:N0} tokens/s{share}  {(report.SecondsLeft is { } left ? Display.Clock(left) : "?")} left");
    }

    /// <summary>How many steps are planned.</summary>
    public static string Plan(TrainSession session)
    {
        TrainConfig train = session.Config.Train;
        Budget budget = Budget.Of(session.Config);
        string minutes = $"{Display.Number(train.Minutes)} minutes", steps = Display.Count(session.Trainer.Schedule.Steps, "step");
        return train.Minutes == 0 ? steps
            : !budget.IsUnbounded ? $"{steps} or {minutes}"
            : session.Trainer.Schedule.Steps < TrainConfig.Unbounded ? $"{steps} within {minutes}"
            : $"as many steps as fit into {minutes},";
    }

    /// <summary>The loss of a step, and beside it what else gradients are of.</summary>
    public static string Loss(in StepResult result)
    {
        if (!result.IsFinite)
        {
            return "skipped: a gradient overflowed";
        }

        string text = $"loss {Figure(result.Loss)}";
        for (int i = 0; i < result.Terms.Count; i++)
        {
            (string key, double term) = result.Terms[i];
            text += string.Create(CultureInfo.InvariantCulture, $"  {key} {term:G3}");
        }

        return text;
    }

    /// <summary>The figure of the curve first; that of all that is held back beside it where it is another.</summary>
    public string Validation(Evaluation evaluation, Evaluation? full)
    {
        string whole = full is { } all && all.Tokens != evaluation.Tokens ? $"; on all {Display.Count(all.Tokens)} {(all.IsText ? "tokens" : "places")} {Scores(all)}" : "";
        return $"validation {Scores(evaluation)}{whole}";
    }

    private string Scores(Evaluation evaluation)
    {
        string bits = evaluation.IsText ? $", {Figure(evaluation.BitsPerByte)} bits/byte" : "";
        return $"{Figure(evaluation.Loss)} {unit.Short}{bits}{string.Concat((evaluation.Scores ?? []).Select(score => $", {score.Name} {Figure(score.Value)}"))}";
    }

    /// <summary>The losses at the end: each figure is of the last step, or says of which.</summary>
    public string Losses(TrainSummary summary)
    {
        string training = double.IsNaN(summary.TrainLoss) ? "stopped" : $"training loss {Figure(summary.TrainLoss)}";
        return summary.Validation is not { } validation ? training
            : summary.ValidationStep is { } step && step == summary.Steps ? Validation(validation, summary.FullValidation)
            : $"{Validation(validation, summary.FullValidation)} {(summary.ValidationStep is { } before ? $"at step {Display.Count(before)}" : "before")}; {training}";
    }

    /// <summary>How evenly experts were used in the last step, in words as in the table by layer; null where this start of the run took none.</summary>
    public static string? Experts(TrainSession session)
    {
        IReadOnlyList<ExpertLoad> loads = session.Trainer.ReadExpertLoads();
        long pairs = loads.Sum(load => load.Pairs), dropped = loads.Sum(load => load.Dropped);
        if (pairs == 0)
        {
            return null;
        }

        string drops = dropped > 0 ? string.Create(CultureInfo.InvariantCulture, $", {(double)dropped / pairs:P1} of pairs dropped") : "";
        ExpertLoad uneven = loads.MinBy(load => load.Entropy)!;
        return string.Create(CultureInfo.InvariantCulture, $"experts: load H {loads.Average(load => load.Entropy):0.000} on average, least {uneven.Entropy:0.000} in layer {uneven.Layer}{drops}");
    }

    private static string Figure(double value) => value.ToString("0.0000", CultureInfo.InvariantCulture);
}
