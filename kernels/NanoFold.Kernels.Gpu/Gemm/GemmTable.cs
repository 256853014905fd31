using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Kernels.Gpu.Ptx;
using NanoFold.Kernels.Memory;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>
/// Keeps measured choices in a file, by device, driver and version of the kernels. A file that is damaged, or cannot be written, only costs the measured speed;
/// entries that name a kernel that is not there any more are passed over.
/// </summary>
internal sealed class GemmTable
{
    private static readonly Dictionary<string, (GemmFamily Family, GemmTile Tile)> s_kernels = Kernels().ToDictionary(k => Name(k.Family, k.Tile));

    private readonly string _key;
    private readonly string _path;

    /// <param name="device">Its name, and its driver's version.</param>
    /// <param name="folder">Where to keep it, or null for <c>gemm</c> in <see cref="CacheFolder.Default"/>.</param>
    public GemmTable(string device, string? folder = null)
    {
        _key = string.Create(CultureInfo.InvariantCulture, $"gemm {GemmTiles.Version}: {device}");
        string name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(_key)))[..16];
        _path = Path.Combine(folder ?? Path.Combine(CacheFolder.Default, "gemm"), name + ".json");
    }

    public IReadOnlyDictionary<GemmProduct, GemmChoice> Read()
    {
        var choices = new Dictionary<GemmProduct, GemmChoice>();
        try
        {
            if (!File.Exists(_path) || JsonNode.Parse(File.ReadAllText(_path)) is not JsonObject json || (string?)json["key"] != _key || json["choices"] is not JsonArray entries)
            {
                return choices;
            }

            foreach (JsonObject entry in entries.OfType<JsonObject>())
            {
                if (s_kernels.TryGetValue((string?)entry["kernel"] ?? "", out (GemmFamily Family, GemmTile Tile) kernel)
                    && (string?)entry["layout"] is { Length: 2 } layout && Enum.TryParse((string?)entry["type"], out GpuType type))
                {
                    var product = new GemmProduct(
                        (int?)entry["m"] ?? 0, (int?)entry["n"] ?? 0, (int?)entry["k"] ?? 0, layout[0] == 't', layout[1] == 't', type, (bool?)entry["tensorFloat32"] ?? false);
                    choices[product] = new GemmChoice(kernel.Family, kernel.Tile, (int?)entry["slices"] ?? 1);
                }
            }

            return choices;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException or FormatException)
        {
            return new Dictionary<GemmProduct, GemmChoice>();
        }
    }

    /// <summary>False where it cannot be written.</summary>
    public bool Write(IReadOnlyDictionary<GemmProduct, GemmChoice> choices)
    {
        var entries = new JsonArray([.. choices.Select(c => (JsonNode)new JsonObject
        {
            ["m"] = c.Key.M, ["n"] = c.Key.N, ["k"] = c.Key.K, ["layout"] = $"{(c.Key.ColumnsA ? 't' : 'n')}{(c.Key.ColumnsB ? 't' : 'n')}",
            ["type"] = c.Key.Input.ToString(), ["tensorFloat32"] = c.Key.TensorFloat32, ["kernel"] = Name(c.Value.Family, c.Value.Tile), ["slices"] = c.Value.Slices,
        })]);
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
            string beside = $"{_path}.tmp-{Guid.NewGuid():N}";
            File.WriteAllText(beside, new JsonObject { ["key"] = _key, ["choices"] = entries }.ToJsonString());
            File.Move(beside, _path, overwrite: true);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static IEnumerable<(GemmFamily Family, GemmTile Tile)> Kernels() =>
    [
        .. GemmTiles.Mma.Select(t => (GemmFamily.Mma, t)),
        .. GemmTiles.Wgmma.Concat(GemmTiles.Clusters).Select(t => (GemmFamily.Wgmma, t)),
        .. GemmTiles.Simt.Select(t => (GemmFamily.Simt, t)),
        .. Enumerable.Range(1, FewRowsGemm.MostRows).Select(r => (GemmFamily.FewRows, FewRowsGemm.Tile(r))).Distinct(),
    ];

    private static string Name(GemmFamily family, GemmTile tile) => $"{family} {tile}";
}

/// <summary>
/// What a measured choice is for: size, layouts and operands of a single product. What is done to its sums (type of y, bias, residual) hardly matters to the choice.
/// </summary>
internal readonly record struct GemmProduct(int M, int N, int K, bool ColumnsA, bool ColumnsB, GpuType Input, bool TensorFloat32)
{
    /// <summary>Null for batches and groups, for which nothing is measured.</summary>
    public static GemmProduct? Of(in GemmProblem problem, GpuPrecision precision)
        => problem.Mode == GemmMode.Batch && problem.Batch == 1
            ? new GemmProduct(
                problem.M, problem.N, problem.K, problem.ColumnsA, problem.ColumnsB, problem.Input, problem.Input == GpuType.Float32 && precision == GpuPrecision.TensorFloat32)
            : null;
}
