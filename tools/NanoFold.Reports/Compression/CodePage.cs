using NanoFold.Engine;
using NanoFold.Engine.Runs.Compression;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Compression;

/// <summary>The page of a compressed file: bits per byte along it, and its length beside those of others.</summary>
public static class CodePage
{
    /// <param name="file">That was compressed.</param>
    /// <param name="curve">Bits per byte of its pieces.</param>
    /// <param name="result">What became of it.</param>
    /// <param name="lengths">The lengths of the file, and of the file with what it needs, and those of other programs: by name, in bytes.</param>
    /// <param name="command">Makes the page again.</param>
    public static ReportPage Of(string file, BitCurve curve, CompressionResult result, IReadOnlyList<(string Name, long Bytes)> lengths, string command)
    {
        var page = new ReportPage(file)
        {
            Kind = "compression",
            Command = command,
            Lead = curve.IsInOrderOfCoding
                ? "Compressed by a model that learned while it coded: nothing describes it but its settings."
                : "Compressed with a model that is needed again to decompress it: the file's length is that of the text given the model.",
            Facts =
            [
                new Fact("bits per byte", Display.Number(result.BitsPerByte, "0.000"), result.CrossEntropy is { } bits ? $"cross-entropy {Display.Number(bits, "0.000")}" : ""),
                new Fact("bytes", Display.Count(result.PackedBytes), $"of {Display.Count(result.SourceBytes)}"),
                .. result.Steps > 0 ? [new Fact("steps of training", Display.Count(result.Steps))] : Array.Empty<Fact>(),
            ],
        };
        page.Section("Bits per byte", curve.IsInOrderOfCoding
            ? "In the order of coding, which is that of learning: the curve is the model's learning curve."
            : "Along the file. What is high is what the model did not expect.").Add(Bits(curve));
        page.Section("Lengths").Add(new ReportTable(
            [new ReportColumn("what", IsText: true), new ReportColumn("bytes"), new ReportColumn("bits per byte", Meaning: "of the file as it was")],
            [.. lengths.Select(length => (IReadOnlyList<Cell>)[length.Name.Trim(), new Cell(Display.Count(length.Bytes), length.Bytes), Cell.Of(8.0 * length.Bytes / Math.Max(1, result.SourceBytes), "0.000")])])
        {
            Title = "Beside others",
        });
        return page;
    }

    private static Figure Bits(BitCurve curve)
    {
        IReadOnlyList<CurvePoint> points = curve.Points;
        double?[] places = [.. points.Select(point => (double?)(point.Offset + (point.Bytes / 2.0)))];
        return new Figure("Bits per byte", new Chart(
            "bits", new Axis(curve.IsInOrderOfCoding ? "bytes coded" : "byte of the file"), new Axis("bits per byte") { HasZero = true },
            [
                new Series("of a piece", places, [.. points.Select(point => (double?)point.BitsPerByte)]) { Size = 0.7 },
                new Series("mean up to there", [.. points.Select(point => (double?)(point.Offset + point.Bytes))], [.. points.Select(point => (double?)point.MeanBitsPerByte)]) { Color = Color.Of(1) },
            ]))
        {
            Caption = $"{Display.Count(points.Count, "piece")} of up to {Display.Count(points.Max(point => point.Bytes), "byte")}; a token belongs to the piece that it begins in.",
        };
    }
}
