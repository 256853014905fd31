using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Engine.Checkpoints;

namespace NanoFold.Engine.Interchange.HuggingFace;

/// <summary>The safetensors of a folder: <c>model.safetensors</c>, or the files that <c>model.safetensors.index.json</c> names.</summary>
internal sealed class SafeTensorFiles : ITensorFiles
{
    private const string Index = "model.safetensors.index.json";

    private readonly List<SafeTensorsFile> _files;
    private readonly Dictionary<string, (SafeTensorsFile File, TensorEntry Entry)> _byName = new(StringComparer.Ordinal);

    private SafeTensorFiles(List<SafeTensorsFile> files)
    {
        _files = files;
        foreach (SafeTensorsFile file in files)
        {
            foreach (SafeTensorInfo tensor in file.Tensors)
            {
                if (!_byName.TryAdd(tensor.Name, (file, EntryOf(file, tensor))))
                {
                    throw new UserException($"{file.Path}: holds '{tensor.Name}', which {_byName[tensor.Name].File.Path} holds too");
                }
            }
        }

        Tensors = [.. _byName.Values.Select(found => found.Entry)];
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Paths => [.. _files.Select(file => file.Path)];

    /// <inheritdoc/>
    public IReadOnlyCollection<TensorEntry> Tensors { get; }

    /// <summary>Opens the files of a folder.</summary>
    /// <exception cref="UserException">There are none, or one is missing or damaged.</exception>
    public static SafeTensorFiles Open(string folder)
    {
        string single = Path.Combine(folder, ModelFile.Name), index = Path.Combine(folder, Index);
        string[] paths = File.Exists(single) ? [single] : File.Exists(index) ? NamesIn(folder, index) : throw Missing(folder);
        List<SafeTensorsFile> files = [];
        try
        {
            foreach (string path in paths)
            {
                files.Add(SafeTensorsFile.Open(path));
            }

            return new SafeTensorFiles(files);
        }
        catch
        {
            files.ForEach(file => file.Dispose());
            throw;
        }
    }

    /// <inheritdoc/>
    public TensorEntry? Find(string name) => _byName.TryGetValue(name, out (SafeTensorsFile File, TensorEntry Entry) found) ? found.Entry : null;

    /// <inheritdoc/>
    public void Read(string name, long start, Span<float> destination) => _byName[name].File.ReadPart(name, start, destination);

    /// <inheritdoc/>
    public void Dispose() => _files.ForEach(file => file.Dispose());

    private static TensorEntry EntryOf(SafeTensorsFile file, SafeTensorInfo tensor)
    {
        bool isReal = tensor.Type <= SafeTensorType.BF16;
        return new TensorEntry(file.Path, tensor.Name, tensor.Shape, tensor.Type.FormatName(), isReal) { Place = isReal ? new WeightPlace(file.Path, tensor.Offset, tensor.Type.OfTensors()) : null };
    }

    private static string[] NamesIn(string folder, string index)
    {
        if (LenientJson.Load(index)["weight_map"] is not JsonObject map || map.Count == 0)
        {
            throw new UserException($"{index}: has no weight_map, which names the file of each tensor");
        }

        var names = new SortedSet<string>(StringComparer.Ordinal);
        foreach ((string tensor, JsonNode? node) in map)
        {
            string? name = node?.GetValueKind() == JsonValueKind.String ? node.GetValue<string>() : null;
            if (name is not { Length: > 0 } || name.AsSpan().IndexOfAny('/', '\\', '\0') >= 0 || name is "." or "..")
            {
                throw new UserException($"{index}: weight_map names no file of this folder for '{tensor}'");
            }

            names.Add(name);
        }

        string[] paths = [.. names.Select(name => Path.Combine(folder, name))];
        return Array.Find(paths, path => !File.Exists(path)) is { } missing
            ? throw new UserException($"{missing}: is missing; {Index} names {paths.Length} files")
            : paths;
    }

    private static UserException Missing(string folder)
    {
        string[] pickles = ["pytorch_model.bin", "pytorch_model.bin.index.json", "consolidated.00.pth"];
        return Array.Find(pickles, name => File.Exists(Path.Combine(folder, name))) is { } pickle
            ? new UserException($"{folder}: has only {pickle}, a pickle, which can run code when it is read; save the model again with safe_serialization=True, which writes {ModelFile.Name}")
            : new UserException($"{folder}: has a {HuggingFaceFormat.ConfigFile} of transformers but no {ModelFile.Name} (or {Index})");
    }
}
