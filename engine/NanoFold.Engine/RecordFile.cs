using System.Text.Encodings.Web;
using System.Text.Json;

namespace NanoFold.Engine;

/// <summary>
/// A file of results that is one record: JSON in camel case, figures that are not finite as null, the member <c>version</c> first. What is read is never trusted: a file that is
/// not such a record is one clear line.
/// </summary>
public static class RecordFile
{
    private const long LargestBytes = 1L << 28;

    private static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
        NewLine = "\n",
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        Converters = { FiniteJson.Converter },
    };

    /// <summary>The text of the file.</summary>
    public static byte[] ToBytes<T>(T record)
        where T : class
        => [.. JsonSerializer.SerializeToUtf8Bytes(record, s_json), (byte)'\n'];

    /// <summary>Writes it, complete or not at all.</summary>
    /// <exception cref="UserException">It cannot be written.</exception>
    public static void Write<T>(string path, T record)
        where T : class
        => OutputFile.Write(path, stream => stream.Write(ToBytes(record)));

    /// <summary>Reads it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="newest">The newest version that this program knows; the record says which it is.</param>
    /// <param name="versionOf">What the record says.</param>
    /// <exception cref="UserException">It cannot be read, is damaged, or was written by a newer version.</exception>
    public static T Read<T>(string path, int newest, Func<T, int> versionOf)
        where T : class
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            if (file.Length > LargestBytes)
            {
                throw new UserException($"{path}: is damaged: it has {file.Length} bytes");
            }

            // The version alone decides whether the rest is understood.
            using JsonDocument tree = JsonDocument.Parse(file);
            if (tree.RootElement.ValueKind == JsonValueKind.Object && tree.RootElement.TryGetProperty("version", out JsonElement version)
                && version.ValueKind == JsonValueKind.Number && version.TryGetDouble(out double found) && found > newest)
            {
                throw new UserException($"{path}: was written by a newer NanoFold; update to read it");
            }

            T record = tree.Deserialize<T>(s_json) ?? throw new JsonException("it is null");
            return versionOf(record) >= 1 ? record : throw new JsonException("it lacks a version");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or NotSupportedException)
        {
            throw new UserException($"{path}: is damaged: {e.Message.ReplaceLineEndings(" ")}", e);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot read", path, e);
        }
    }
}
