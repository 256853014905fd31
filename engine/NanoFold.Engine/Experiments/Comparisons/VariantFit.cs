using System.Globalization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>Solves for the widths with which a variant has as many parameters, or takes as many FLOPs, as is held equal.</summary>
internal static class VariantFit
{
    // No more than this may be left of a difference in what is held equal.
    private const double Tolerance = 0.05;

    /// <summary>What is left of the difference, and what was solved for.</summary>
    /// <param name="file">The comparison.</param>
    /// <param name="draft">The variant.</param>
    /// <param name="lengths">How long runs are.</param>
    /// <param name="with">The variant with sizes.</param>
    /// <exception cref="ConfigException">No widths come near.</exception>
    public static (double? Residual, IReadOnlyList<SolvedSetting> Solved) Of(ComparisonFile file, Draft draft, RunLengths lengths, Func<IEnumerable<SolvedSetting>, RunConfig> with)
    {
        bool parameters = file.Equal == EqualKind.Parameters;
        double budget = lengths.Budget!.Value, target = parameters ? budget : budget / lengths.Tokens;
        RunConfig? Allowed(IReadOnlyList<SolvedSetting> sizes)
        {
            try
            {
                return with(sizes);
            }
            catch (ConfigException)
            {
                return null;
            }
        }

        bool ownWidth = draft.Sets("model.width"), ownHidden = draft.Sets("model.hidden") || draft.Sets("model.feedForward.hidden");
        bool hidden = !ownHidden && file.Fit != FitKind.Width, width = !ownWidth && file.Fit != FitKind.Hidden;
        SizeFit Fitted(bool width)
        {
            var fit = new SizeFit(Allowed, config => parameters ? CostModel.Of(config.Model).Parameters : CostModel.FlopsPerToken(config.Model, config.Train.Trains), target);
            fit.Run(draft.Config, width, hidden);
            return fit;
        }

        // What differs in its feed-forward only keeps its width, if it can.
        SizeFit fit = Fitted(width && !(hidden && file.Fit == FitKind.Auto && draft.IsFeedForwardOnly));
        fit = Math.Abs(fit.Residual) > Tolerance && width ? Fitted(width) : fit;
        if (Math.Abs(fit.Residual) <= Tolerance)
        {
            return (fit.Residual, fit.Solved);
        }

        string what = parameters ? string.Create(CultureInfo.InvariantCulture, $"{budget:#,0} parameters") : string.Create(CultureInfo.InvariantCulture, $"{target:#,0} FLOPs per token");
        string[] searched = [.. width ? ["model.width"] : Array.Empty<string>(), .. hidden ? ["model.hidden"] : Array.Empty<string>()];
        string found = string.Join(" and ", fit.Solved.Select(size => $"{size.Key} = {size.To}"));
        string message = string.Create(CultureInfo.InvariantCulture,
            $"{(searched.Length == 0 ? "the variant sets its widths itself, and is not" : $"no {string.Join(" or ", searched)} comes")} within {Tolerance * 100:0} % of {what}; {(found.Length == 0 ? "as it is" : $"with {found}")} it is {fit.Residual * 100:+#,0.#;-#,0.#} % off; give another budget, or equal = tokens");
        throw new ConfigException([new ConfigProblem("model.width", message, VariantChecks.PlaceOf(file, draft.Name))]);
    }
}
