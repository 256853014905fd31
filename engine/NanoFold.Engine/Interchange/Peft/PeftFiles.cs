using NanoFold.Engine.Checkpoints;

namespace NanoFold.Engine.Interchange.Peft;

/// <summary>The tensors of an adapter under the names that they have in the base: without what all names begin with.</summary>
internal sealed class PeftFiles : ITensorFiles
{
    private readonly SafeTensorsFile _file;
    private readonly Dictionary<string, (string Name, TensorEntry Entry)> _byName = new(StringComparer.Ordinal);

    private PeftFiles(SafeTensorsFile file)
    {
        _file = file;
        foreach (SafeTensorInfo tensor in file.Tensors)
        {
            if (!tensor.Name.StartsWith(PeftFolder.Prefix, StringComparison.Ordinal))
            {
                throw new UserException($"{file.Path}: holds '{tensor.Name}'; the names of an adapter's tensors begin with {PeftFolder.Prefix}");
            }

            // As versions before 0.10 named it.
            string name = tensor.Name[PeftFolder.Prefix.Length..], own = name.EndsWith("lora_magnitude_vector.weight", StringComparison.Ordinal) ? name[..^".weight".Length] : name;
            if (!_byName.TryAdd(own, (tensor.Name, new TensorEntry(file.Path, own, tensor.Shape, tensor.Type.FormatName(), IsReal: tensor.Type <= SafeTensorType.BF16))))
            {
                throw new UserException($"{file.Path}: holds '{own}' twice");
            }
        }

        Tensors = [.. _byName.Values.Select(found => found.Entry)];
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Paths => [_file.Path];

    /// <inheritdoc/>
    public IReadOnlyCollection<TensorEntry> Tensors { get; }

    /// <summary>Opens the file of a folder.</summary>
    /// <exception cref="UserException">There is none, or it is damaged.</exception>
    public static PeftFiles Open(string folder)
    {
        string path = Path.Combine(folder, PeftFolder.WeightsFile);
        if (!File.Exists(path))
        {
            throw new UserException(File.Exists(Path.Combine(folder, "adapter_model.bin"))
                ? $"{folder}: has only adapter_model.bin, a pickle, which can run code when it is read; save the adapter again with safe_serialization=True, which writes {PeftFolder.WeightsFile}"
                : $"{folder}: has a {PeftFolder.ConfigFile} but no {PeftFolder.WeightsFile}");
        }

        SafeTensorsFile file = SafeTensorsFile.Open(path);
        try
        {
            return new PeftFiles(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public TensorEntry? Find(string name) => _byName.TryGetValue(name, out (string Name, TensorEntry Entry) found) ? found.Entry : null;

    /// <inheritdoc/>
    public void Read(string name, long start, Span<float> destination) => _file.ReadPart(_byName[name].Name, start, destination);

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
