using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Runs.Compression;
using NanoFold.Reports.Compression;

namespace NanoFold.Cli.Commands.Compression;

/// <summary>Bits per byte along a file, in a file of its own: a table, JSON, or a page with the curve.</summary>
internal sealed class CurveFile
{
    private const string Option = "--curve";

    private readonly string _path;
    private readonly string _kind;

    /// <param name="path">Its end says which.</param>
    /// <exception cref="UserException">It says none, or nothing can be written there.</exception>
    public CurveFile(string path)
    {
        OutputFile.Require(path, Option);
        (_path, _kind) = (path, Path.GetExtension(path).ToLowerInvariant());
        if (_kind is not (".csv" or ".json" or ".html"))
        {
            throw UserException.Usage($"{Option} {path}: expected .csv, .json or .html, not '{_kind}'");
        }
    }

    /// <summary>Writes it.</summary>
    /// <param name="curve">The pieces.</param>
    /// <param name="result">Of the file.</param>
    /// <param name="file">That was compressed.</param>
    /// <param name="lengths">What of the file with which name, in bytes.</param>
    /// <param name="command">Makes it again.</param>
    public void Write(BitCurve curve, CompressionResult result, string file, IReadOnlyList<(string Name, long Bytes)> lengths, string command)
    {
        if (_kind == ".html")
        {
            CodePage.Of(Path.GetFileName(file), curve, result, lengths, command).Save(_path);
            return;
        }

        byte[] text = Encoding.UTF8.GetBytes(_kind == ".csv" ? Csv(curve) : Json(curve));
        OutputFile.Write(_path, stream => stream.Write(text));
    }

    private static string Csv(BitCurve curve) =>
        $"{Place(curve)},bytes,bitsPerByte,meanBitsPerByte\n"
        + string.Concat(curve.Points.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Offset},{p.Bytes},{p.BitsPerByte:0.######},{p.MeanBitsPerByte:0.######}\n")));

    private static string Json(BitCurve curve) => FiniteJson.Clean(new JsonArray([.. curve.Points.Select(p => (JsonNode)new JsonObject
    {
        [Place(curve)] = p.Offset,
        ["bytes"] = p.Bytes,
        ["bitsPerByte"] = p.BitsPerByte,
        ["meanBitsPerByte"] = p.MeanBitsPerByte,
    })]))!.ToJsonString() + "\n";

    private static string Place(BitCurve curve) => curve.IsInOrderOfCoding ? "coded" : "offset";
}
