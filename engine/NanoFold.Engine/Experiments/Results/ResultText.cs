using System.Globalization;
using NanoFold.Engine.Experiments.Statistics;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Experiments.Results;

/// <summary>Figures of results for people, the same in every table: losses with four decimals, shares in percent, differences with their sign.</summary>
public static class ResultText
{
    private const string Minus = "−";

    /// <summary>What stands where there is no figure.</summary>
    public const string None = "–";

    /// <summary>A figure: <c>1.8312</c>, of an accuracy <c>98.7 %</c>.</summary>
    public static string Figure(string name, double? value) => value is { } v && double.IsFinite(v) ? Plain(name, v) + Unit(name) : None;

    /// <summary>A standard deviation: <c>0.0041</c>; empty where one seed knows none.</summary>
    public static string Deviation(string name, double? value) => value is { } v && double.IsFinite(v) ? Plain(name, v) : "";

    /// <summary>A difference with its sign: <c>+0.0089</c>, of accuracies in points of percent.</summary>
    public static string Signed(string name, double? value) => value is { } v && double.IsFinite(v) ? (v < 0 ? Minus : "+") + Plain(name, Math.Abs(v)) : None;

    /// <summary>A difference and its interval: <c>+0.0089 [+0.0021, +0.0157]</c>; without one where one seed knows none.</summary>
    public static string Difference(string name, PairedDifference? difference) => difference switch
    {
        null => "",
        { Interval: { } interval } => $"{Signed(name, difference.Mean)} {Range(name, interval)}",
        _ => $"{Signed(name, difference.Mean)} [no interval]",
    };

    /// <summary>An interval: <c>[+0.0021, +0.0157]</c>.</summary>
    public static string Range(string name, Interval interval) => $"[{Signed(name, interval.Low)}, {Signed(name, interval.High)}]";

    /// <summary>The size of a difference in a sentence: <c>0.0089</c>, <c>1.2 points</c>.</summary>
    public static string Size(string name, double value) => Plain(name, Math.Abs(value)) + (IsShare(name) ? " points" : "");

    /// <summary>The sizes between which an interval lies that leaves out 0: <c>0.0021 to 0.0157</c>.</summary>
    public static string Sizes(string name, Interval interval)
    {
        double low = Math.Abs(interval.Low), high = Math.Abs(interval.High);
        return $"{Plain(name, Math.Min(low, high))} to {Plain(name, Math.Max(low, high))}";
    }

    /// <summary>What stands in a cell for a figure that may be missing.</summary>
    public static string Of(double? value, Func<double, string> text) => value is { } v ? text(v) : None;

    /// <summary>A rate as people write it: <c>0.003</c>, <c>1e-05</c>.</summary>
    public static string Rate(double? value) => value is { } v && double.IsFinite(v) ? v.ToString("G3", CultureInfo.InvariantCulture).ToLowerInvariant() : None;

    /// <summary>The name of a figure at the head of a column.</summary>
    public static string Head(string name) => name == FigureResult.BitsPerByte ? "bits/byte" : name;

    private static bool IsShare(string name) => name.EndsWith(Evaluation.Accuracy, StringComparison.OrdinalIgnoreCase);

    private static string Unit(string name) => IsShare(name) ? " %" : "";

    // Small figures keep three digits.
    private static string Plain(string name, double value) => IsShare(name) ? (100 * value).ToString("0.0", CultureInfo.InvariantCulture)
        : value == 0 || Math.Abs(value) is >= 5e-4 and < 1e4 ? value.ToString("0.0000", CultureInfo.InvariantCulture)
        : value.ToString("0.00e-0", CultureInfo.InvariantCulture);
}
