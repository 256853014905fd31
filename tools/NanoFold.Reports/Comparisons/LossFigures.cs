using NanoFold.Engine.Experiments.Results;
using NanoFold.Engine.Tasks;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;
using NanoFold.Reports.Runs;

namespace NanoFold.Reports.Comparisons;

/// <summary>Loss and scores while training, against tokens, FLOPs, seconds and steps.</summary>
internal static class LossFigures
{
    public static IEnumerable<Figure> Of(ComparisonResult result, IReadOnlyList<ShownVariant> variants)
    {
        foreach ((string key, string title, string axis) in new[]
        {
            ("validationLoss", "Validation loss", ComparisonPage.Axis(result, FigureResult.Loss)), ("loss", "Training loss", ComparisonPage.Axis(result, FigureResult.Loss)), ("validationAccuracy", "Accuracy", Evaluation.Accuracy),
        })
        {
            // The first that has the curve stands for its variant in the legend.
            ShownCurve[] curves = [.. variants.SelectMany(variant => variant.Runs.Select(run => run.Curve(key)).OfType<Curve>().Select((curve, i) => new ShownCurve(
                variant.Name, curve, CurveFigure.Style with
                {
                    Color = variant.Color, Style = variant.Style, Group = variant.Name, IsInLegend = i == 0, Size = 0.8, IsHidden = variant.IsHidden,
                })))];
            if (curves.Length > 0)
            {
                yield return new Figure(title, CurveFigure.Views(new Axis(axis), curves))
                {
                    Height = 460, IsHalf = false, Caption = (key == "loss" ? "Means over the steps between two points. " : "") + ShownVariant.Hidden(variants),
                };
            }
        }
    }
}
