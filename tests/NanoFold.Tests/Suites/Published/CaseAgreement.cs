using System.Collections.Concurrent;
using System.Globalization;

namespace NanoFold.Tests.Suites.Published;

/// <summary>
/// How far a case that other software computed and what is computed here are apart. Each figure is asserted when it is told; what was found becomes the
/// case's row in docs/compatibility.md, and a case without a row there fails.
/// </summary>
/// <param name="part">Of <see cref="CompatibilityPart"/>: its folder.</param>
/// <param name="name">Of the case.</param>
internal sealed class CaseAgreement(string part, string name)
{
    private readonly List<Figure> _figures = [];

    /// <summary>What was found so far in this process, by part and case: several tests may look at one case.</summary>
    public static ConcurrentDictionary<(string Part, string Case), string> Found { get; } = new();

    /// <summary>A case that is refused, and why; its reason stands on the page word for word.</summary>
    public static void Refused(string part, string name, string reason) => Keep(part, name, $"not supported: {reason}");

    /// <summary>A difference that must be below what is allowed.</summary>
    public void Off(double off, double allowed, string what)
    {
        Assert.That(off, Is.LessThan(allowed), what);
        Add(off, allowed, what);
    }

    /// <summary>A value within what is allowed of the expected one.</summary>
    public void Near(double? actual, double expected, double allowed, string what, string? detail = null)
    {
        Assert.That(actual, Is.EqualTo(expected).Within(allowed), detail ?? what);
        Add(Math.Abs(actual!.Value - expected), allowed, what);
    }

    /// <summary>A value within a share of the expected one.</summary>
    public void NearRelatively(double? actual, double expected, double allowed, string what, string? detail = null)
    {
        Assert.That(actual, Is.EqualTo(expected).Within(100 * allowed).Percent, detail ?? what);
        Add(expected == 0 ? 0 : Math.Abs((actual!.Value - expected) / expected), allowed, what);
    }

    /// <summary>Arrays whose largest difference is below a share of the largest magnitude.</summary>
    public void Close(double[] actual, double[] expected, double allowed, string what, string? detail = null)
    {
        Numbers.AssertClose(actual, expected, allowed, detail ?? what);
        Add(Numbers.RelativeError(actual, expected), allowed, what);
    }

    /// <summary>What was the same in every bit, token or character.</summary>
    public void Same(string what) => _figures.Add(new Figure(what, null, 0));

    /// <summary>Keeps what was told, after all of it was asserted.</summary>
    public void Record() => Keep(part, name, string.Join("; ", _figures.Select(figure => figure.Off is { } off ? $"{figure.What} {Short(off)} ({Short(figure.Allowed)})" : figure.What)));

    private static void Keep(string part, string name, string text)
    {
        Found.AddOrUpdate((part, name), text, (_, other) => other == text ? text : $"{other}; {text}");
        CompatibilityPage.Require(part, name, text);
    }

    private static string Short(double value) => value == 0 ? "0" : value.ToString("0.#e-0", CultureInfo.InvariantCulture);

    private void Add(double off, double allowed, string what)
    {
        int at = _figures.FindIndex(figure => figure.What == what);
        if (at < 0)
        {
            _figures.Add(new Figure(what, off, allowed));
        }
        else
        {
            _figures[at] = new Figure(what, Math.Max(off, _figures[at].Off!.Value), Math.Max(allowed, _figures[at].Allowed));
        }
    }

    private sealed record Figure(string What, double? Off, double Allowed);
}
