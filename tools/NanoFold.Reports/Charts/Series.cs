using System.Globalization;

namespace NanoFold.Reports.Charts;

/// <summary>Points that belong together.</summary>
/// <param name="Name">In the legend.</param>
/// <param name="X">Places; null for a gap.</param>
/// <param name="Y">Values; null for a gap.</param>
public sealed record Series(string Name, IReadOnlyList<double?> X, IReadOnlyList<double?> Y)
{
    public SeriesKind Kind { get; init; } = SeriesKind.Line;

    /// <summary>Along the third axis, of a chart in space.</summary>
    public IReadOnlyList<double?>? Z { get; init; }

    public Color Color { get; init; } = Color.Of(0);

    /// <summary>Lower and upper ends around each value, shown as bars, along <see cref="Spread"/>; for a line as a band.</summary>
    public IReadOnlyList<(double Low, double High)?>? Intervals { get; init; }

    /// <summary>Along which axis <see cref="Intervals"/> are.</summary>
    public Spread Spread { get; init; } = Spread.Y;

    /// <summary>What is said of each point besides its numbers.</summary>
    public IReadOnlyList<string>? Labels { get; init; }

    /// <summary>Series of one group are shown and hidden together, and have one entry in the legend: the first one's.</summary>
    public string? Group { get; init; }

    /// <summary>Whether it has an entry in the legend.</summary>
    public bool IsInLegend { get; init; } = true;

    /// <summary>Whether it is hidden until its entry in the legend is clicked.</summary>
    public bool IsHidden { get; init; }

    /// <summary>How wide lines are and how large points, beside the usual.</summary>
    public double Size { get; init; } = 1;

    /// <summary>0 is an even line or round points; others are broken lines and other shapes.</summary>
    public int Style { get; init; }

    /// <summary>Whether <see cref="Labels"/> are written beside the points.</summary>
    public bool ShowsLabels { get; init; }

    /// <summary>On which side of the points.</summary>
    public LabelPlace LabelPlace { get; init; }
}

/// <summary>Where a label stands.</summary>
public enum LabelPlace
{
    /// <summary>Above its point.</summary>
    Above,

    /// <summary>Below it.</summary>
    Below,

    /// <summary>On its left.</summary>
    Left,

    /// <summary>On its right.</summary>
    Right,

    /// <summary>Above, on its left.</summary>
    AboveLeft,

    /// <summary>Below, on its left.</summary>
    BelowLeft,
}

/// <summary>How points are drawn.</summary>
public enum SeriesKind
{
    /// <summary>Joined by a line.</summary>
    Line,

    /// <summary>As points.</summary>
    Points,

    /// <summary>Both.</summary>
    LineAndPoints,

    /// <summary>Rings, for what is summed up of points: a mean.</summary>
    Means,

    /// <summary>A straight line for comparison: what is possible, or what a baseline reaches.</summary>
    Reference,
}

/// <summary>An axis along which intervals are.</summary>
public enum Spread
{
    /// <summary>Upwards.</summary>
    Y,

    /// <summary>To the right.</summary>
    X,
}

/// <summary>A color by what it means; light and dark pages show it differently.</summary>
public readonly record struct Color
{
    private Color(string token) => Token = token;

    /// <summary>Colors that are told apart.</summary>
    public const int Count = 10;

    /// <summary>Of text that matters less.</summary>
    public static Color Soft { get; } = new("@soft");

    internal string Token { get; }

    /// <summary>One of the colors that are told apart; from <see cref="Count"/> on they come again.</summary>
    public static Color Of(int index) => new(string.Create(CultureInfo.InvariantCulture, $"@{index % Count}"));

    /// <summary>A color from first (0) to last (1), as for layers.</summary>
    public static Color Between(double share) => new(string.Create(CultureInfo.InvariantCulture, $"@q{share:0.###}"));
}
