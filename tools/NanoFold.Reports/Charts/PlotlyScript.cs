using Plotly.NET;

namespace NanoFold.Reports.Charts;

/// <summary>plotly.js as the package Plotly.NET brings it.</summary>
internal static class PlotlyScript
{
    private const string Prefix = "Plotly.NET.plotly-", Suffix = ".min.js";

    /// <summary>The script.</summary>
    public static string Text
    {
        get
        {
            System.Reflection.Assembly package = typeof(GenericChart).Assembly;
            string name = package.GetManifestResourceNames().Single(name => name.StartsWith(Prefix, StringComparison.Ordinal) && name.EndsWith(Suffix, StringComparison.Ordinal));
            using var reader = new StreamReader(package.GetManifestResourceStream(name)!);
            return reader.ReadToEnd();
        }
    }
}
