using NanoFold.Engine.Experiments.Results;
using NanoFold.Engine.Tasks;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;
using NanoFold.Reports.Runs;

namespace NanoFold.Reports.Comparisons;

/// <summary>Loss and scores while training, against tokens, FLOPs, seconds and steps.</summary>
internal static class LossFigures
{
    private const int MostShown = 10;

    public static IEnumerable<Figure> Of(ComparisonResult result, IReadOnlyList<ShownVariant> variants)
    {
        foreach ((string key, string title, string axis) in new[]
        {
            ("validationLoss", "Validation loss", ComparisonPage.Axis(result, FigureResult.Loss)), ("loss", "Training loss", ComparisonPage.Axis(result, FigureResult.Loss)), ("validationAccuracy", "Accuracy", Evaluation.Accuracy),
        })
        {
            ShownCurve[] curves = [.. variants.SelectMany(variant => variant.Runs.Select((run, i) => (variant, i, Curve: run.Curve(key)))).Where(line => line.Curve is not null).Select(line => new ShownCurve(
                line.variant.Name, line.Curve!, CurveFigure.Style with
                {
                    Color = line.variant.Color, Style = line.variant.Style, Group = line.variant.Name, IsInLegend = line.i == 0, Size = 0.8,
                    IsHidden = line.variant.Index >= MostShown && !line.variant.Result.IsBase,
                }))];
            if (curves.Length > 0)
            {
                string hidden = variants.Count > MostShown ? $" The first {MostShown} are shown, the others on a click." : "";
                yield return new Figure(title, CurveFigure.Views(new Axis(axis), curves))
                {
                    Height = 460, IsHalf = false, Caption = (key == "loss" ? "Means over the steps between two points." : "") + hidden,
                };
            }
        }
    }
}
