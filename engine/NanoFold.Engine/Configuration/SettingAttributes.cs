using System.Text.Json.Nodes;

namespace NanoFold.Engine.Configuration;

/// <summary>The values that a number in a configuration may take; checked before it is bound.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class BoundsAttribute(double minimum, double maximum = double.MaxValue) : Attribute
{
    public double Minimum { get; } = minimum;

    public double Maximum { get; } = maximum;

    /// <summary>The minimum itself is not allowed.</summary>
    public bool AboveMinimum { get; init; }

    /// <summary>The maximum itself is not allowed.</summary>
    public bool BelowMaximum { get; init; }

    /// <summary>The word <c>auto</c> may be written for 0.</summary>
    public bool Auto { get; init; }

    /// <summary>Whether <paramref name="value"/> lies within.</summary>
    public bool Contain(double value)
        => (AboveMinimum ? value > Minimum : value >= Minimum) && (BelowMaximum ? value < Maximum : value <= Maximum);

    /// <summary>In words, such as <c>at least 1</c>.</summary>
    public override string ToString()
    {
        string lower = FormattableString.Invariant($"{(AboveMinimum ? "more than" : "at least")} {Minimum:R}");
        return Maximum == double.MaxValue
            ? lower
            : FormattableString.Invariant($"{lower} and {(BelowMaximum ? "less than" : "at most")} {Maximum:R}");
    }
}

/// <summary>Says of a record that a list of it can also be written as one text.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal abstract class ListTextAttribute : Attribute
{
    /// <summary>The list that a text stands for, or null and what is wrong with it.</summary>
    public abstract JsonArray? Parse(string text, out string problem);
}

/// <summary>A key that may differ when a run is taken up again: it does not change what was computed so far.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ResumableAttribute : Attribute;
