using System.Text.Json;

namespace NanoFold.Engine.Checkpoints;

/// <summary>Reads and checks the JSON header of a safetensors file; nothing in it is believed before it fits the file's length.</summary>
internal static class SafeTensorsHeader
{
    /// <summary>The longest header that the format allows.</summary>
    public const int MaxBytes = 100_000_000;

    public const string MetadataKey = "__metadata__";

    /// <summary>
    /// Parses the header. <paramref name="dataOffset"/> is where the tensors' bytes begin in the file and
    /// <paramref name="dataBytes"/> how many there are. The tensors come in the order of their bytes.
    /// </summary>
    /// <exception cref="FormatException">The header is not one of a safetensors file, or does not fit the file.</exception>
    public static (SafeTensorInfo[] Tensors, Dictionary<string, string> Metadata) Parse(ReadOnlySpan<byte> json, long dataOffset, long dataBytes)
    {
        var tensors = new Dictionary<string, SafeTensorInfo>(StringComparer.Ordinal);
        Dictionary<string, string>? metadata = null;
        try
        {
            var reader = new Utf8JsonReader(json);
            Expect(reader.Read() && reader.TokenType == JsonTokenType.StartObject, "its header is not a JSON object");
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                reader.Read();
                if (name == MetadataKey)
                {
                    Expect(metadata is null, $"{MetadataKey} stands in it twice");
                    metadata = ReadMetadata(ref reader);
                }
                else
                {
                    Expect(tensors.TryAdd(name, ReadTensor(ref reader, name, dataOffset, dataBytes)), $"tensor '{name}' stands in it twice");
                }
            }

            // Reads to the end, so that anything after the object is an error.
            reader.Read();
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that is not valid UTF-8 or has half a surrogate pair.
            throw new FormatException($"its header is not valid JSON ({exception.Message})", exception);
        }

        SafeTensorInfo[] ordered = [.. tensors.Values.OrderBy(tensor => tensor.Offset).ThenBy(tensor => tensor.ByteCount)];
        ExpectNoGaps(ordered, dataOffset, dataBytes);
        return (ordered, metadata ?? []);
    }

    private static Dictionary<string, string> ReadMetadata(ref Utf8JsonReader reader)
    {
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        Expect(reader.TokenType == JsonTokenType.StartObject, $"{MetadataKey} is not an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            Expect(reader.TokenType == JsonTokenType.String, $"{MetadataKey}.{key} is not a string");
            Expect(metadata.TryAdd(key, reader.GetString()!), $"{MetadataKey}.{key} stands in it twice");
        }

        return metadata;
    }

    private static SafeTensorInfo ReadTensor(ref Utf8JsonReader reader, string name, long dataOffset, long dataBytes)
    {
        SafeTensorType? type = null;
        List<long>? shape = null;
        List<long>? range = null;
        Expect(reader.TokenType == JsonTokenType.StartObject, $"tensor '{name}' is not an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            switch (key)
            {
                case "dtype":
                    string? typeName = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
                    Expect(SafeTensorTypeExtensions.TryParse(typeName, out SafeTensorType known), $"tensor '{name}' has the unknown dtype '{typeName}'");
                    type = known;
                    break;
                case "shape":
                    shape = ReadCounts(ref reader, $"the shape of tensor '{name}'");
                    break;
                case "data_offsets":
                    range = ReadCounts(ref reader, $"data_offsets of tensor '{name}'");
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        Expect(type is not null && shape is not null && range is not null, $"tensor '{name}' lacks dtype, shape or data_offsets");
        Expect(range!.Count == 2 && range[0] <= range[1] && range[1] <= dataBytes, $"data_offsets of tensor '{name}' lie outside its {dataBytes} bytes of data");
        long bytes = range[1] - range[0];
        Expect(ByteCount(shape!, type!.Value) == bytes, $"tensor '{name}' {type.Value.FormatName()} [{string.Join(", ", shape!)}] does not fit its {bytes} bytes");
        return new SafeTensorInfo(name, type.Value, shape!.AsReadOnly(), dataOffset + range[0], bytes);
    }

    private static List<long> ReadCounts(ref Utf8JsonReader reader, string what)
    {
        var counts = new List<long>();
        Expect(reader.TokenType == JsonTokenType.StartArray, $"{what} is not a list");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long count) || count < 0)
            {
                throw new FormatException($"{what} has an entry that is not a count");
            }

            counts.Add(count);
        }

        return counts;
    }

    // Bytes of a tensor, or -1 where they exceed what a long holds.
    private static long ByteCount(List<long> shape, SafeTensorType type)
    {
        if (shape.Contains(0))
        {
            return 0;
        }

        Int128 bytes = type.Size();
        foreach (long extent in shape)
        {
            bytes *= extent;
            if (bytes > long.MaxValue)
            {
                return -1;
            }
        }

        return (long)bytes;
    }

    private static void ExpectNoGaps(SafeTensorInfo[] ordered, long dataOffset, long dataBytes)
    {
        long end = dataOffset;
        foreach (SafeTensorInfo tensor in ordered)
        {
            Expect(tensor.Offset >= end, $"tensor '{tensor.Name}' overlaps another");
            Expect(tensor.Offset == end, $"there is a hole before tensor '{tensor.Name}'");
            end += tensor.ByteCount;
        }

        Expect(end == dataOffset + dataBytes, $"{dataOffset + dataBytes - end} bytes at its end belong to no tensor");
    }

    private static void Expect(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new FormatException(otherwise);
        }
    }
}
