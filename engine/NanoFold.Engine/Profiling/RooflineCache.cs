using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Engine.Data;
using NanoFold.Kernels;

namespace NanoFold.Engine.Profiling;

/// <summary>
/// Remembers a machine's <see cref="Roofline"/> in the user's folder for caches, by processor, instruction set, threads and version of the
/// measurement. A file that is damaged, or cannot be written, only costs another measurement.
/// </summary>
public sealed class RooflineCache
{
    private const int Version = 1;

    private readonly string _folder;
    private readonly Func<Backend, Arithmetic, Roofline> _measure;

    /// <param name="folder">Where to keep it, or null for <c>roofline</c> in <see cref="TokenCache.DefaultFolder"/>.</param>
    public RooflineCache(string? folder = null)
        : this(folder ?? Path.Combine(TokenCache.DefaultFolder, "roofline"), Roofline.Measure)
    {
    }

    internal RooflineCache(string folder, Func<Backend, Arithmetic, Roofline> measure)
    {
        _folder = folder;
        _measure = measure;
    }

    /// <summary>Remembered, or measured now.</summary>
    /// <param name="backend">The device.</param>
    /// <param name="processor">Its processor's name.</param>
    /// <param name="remeasure">Measures in any case.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <param name="arithmetic">Of the products.</param>
    public Roofline Get(Backend backend, string processor, bool remeasure = false, Action<string>? note = null, Arithmetic arithmetic = default)
    {
        string products = arithmetic switch
        {
            { Type: not DType.Float32 } => $"; {arithmetic.Type}",
            { Rounding: OperandRounding.TensorFloat32 } => "; tf32",
            { Rounding: OperandRounding.BFloat16 } => "; bf16 products",
            _ => "",
        };
        string key = string.Create(CultureInfo.InvariantCulture, $"roofline {Version}: {processor}; {backend.Name}{products}");
        string path = Path.Combine(_folder, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))[..16] + ".json");
        if (!remeasure && Read(path, key) is { } known)
        {
            return known;
        }

        note?.Invoke($"measuring what {backend.Name} can reach (once; --remeasure does it again)");
        Roofline measured = _measure(backend, arithmetic);
        Write(path, key, measured);
        return measured;
    }

    private static Roofline? Read(string path, string key)
    {
        try
        {
            if (JsonNode.Parse(File.ReadAllText(path)) is not JsonObject json || (string?)json["key"] != key)
            {
                return null;
            }

            var known = new Roofline((double?)json["flopsPerSecond"] ?? 0, (double?)json["bytesPerSecond"] ?? 0);
            return IsRate(known.FlopsPerSecond) && IsRate(known.BytesPerSecond) ? known : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    private static bool IsRate(double value) => double.IsFinite(value) && value > 0;

    private static void Write(string path, string key, Roofline measured)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            var json = new JsonObject { ["key"] = key, ["flopsPerSecond"] = measured.FlopsPerSecond, ["bytesPerSecond"] = measured.BytesPerSecond };
            string beside = $"{path}.tmp-{Guid.NewGuid():N}";
            File.WriteAllText(beside, FiniteJson.Clean(json)!.ToJsonString());
            File.Move(beside, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is measured again the next time.
        }
    }
}
