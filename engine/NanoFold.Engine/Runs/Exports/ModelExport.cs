using System.Numerics.Tensors;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Interchange.Exports;
using NanoFold.Engine.Interchange.Peft;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs.Imports;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs.Exports;

/// <summary>Writes a model in the files of another program.</summary>
public static class ModelExport
{
    /// <summary>Writes it: complete, or nothing of it.</summary>
    /// <param name="trained">The model.</param>
    /// <param name="format">Of the files.</param>
    /// <param name="type">Of the numbers; null for what the format takes if not told.</param>
    /// <param name="target">A folder that is new or empty, or a file.</param>
    /// <exception cref="UserException">A part of the model has no place in the format, or the files cannot be written.</exception>
    public static ExportedModel Run(TrainedModel trained, ExportFormat format, ExportType? type, string target)
    {
        ExportType written = type ?? format.Types[0];
        if (!format.Types.Contains(written))
        {
            throw UserException.Usage($"--type {NameOf(written)}: {format.Name} holds {string.Join(", ", format.Types.Select(NameOf))}");
        }

        RequireFree(format, target);
        using Transformer? merged = trained.Model.Adapters is null || format.KeepsAdapters ? null : MergedModel.Of(trained.Model);
        ExportedFiles files = format.Plan(Source(trained, merged ?? trained.Model), written, target);
        string[] notes = merged is null ? [.. files.Notes] : ["the adapters are merged into the matrices that they were around", .. files.Notes];
        string[] paths = format.IsFolder ? [.. files.Files.Select(file => Path.Combine(target, file.Name))] : [target, .. files.Files.Skip(1).Select(file => Path.Combine(Path.GetDirectoryName(target) ?? "", file.Name))];
        if (format.IsFolder)
        {
            ImportFolder.Write(target, folder =>
            {
                foreach (CheckpointFile file in files.Files)
                {
                    ImportFolder.WriteFile(folder, file);
                }

                return true;
            });
        }
        else
        {
            foreach ((CheckpointFile file, string path) in files.Files.Zip(paths))
            {
                OutputFile.Write(path, file.Write);
            }
        }

        return new ExportedModel(files.Format, written, (merged ?? trained.Model).Store.Parameters.Sum(parameter => parameter.Layout.Count), paths, notes);
    }

    /// <summary>Throws where the files could not be written; for what takes long before.</summary>
    public static void RequireFree(ExportFormat format, string target)
    {
        if (format.IsFolder)
        {
            ImportFolder.RequireFree(target);
        }
        else
        {
            OutputFile.Require(target, "--out");
        }
    }

    /// <summary>What a type is called in an option.</summary>
    public static string NameOf(ExportType type) => type.ToString().ToLowerInvariant();

    // The last that was read is kept: of a tensor that many of theirs are made of.
    private static OwnModel Source(TrainedModel trained, Transformer model)
    {
        ParameterStore store = model.Store;
        (string? Name, float[] Values) last = (null, []);
        var own = new OwnModel(model.Config, trained.HasTokenizer ? trained.Tokenizer : null, [.. store.Tensors.Select(tensor => new WeightInfo(tensor.Name, tensor.Layout.ToShape(), "F32"))], name =>
        {
            if (last.Name != name)
            {
                StoredTensor tensor = store.Find(name)!;
                var values = new float[checked((int)tensor.Layout.Count)];
                store.Backend.Read(store.Values(tensor), values);
                last = TensorPrimitives.IsFiniteAll<float>(values) ? (name, values) : throw new UserException($"'{name}' has values that are not finite");
            }

            return last.Values;
        });
        NameGlobs? trains = trained.Config.Train.Trains ?? model.Adapters?.Names;
        // An adapter that was trained on is one of the same base.
        string? start = trained.Base is { } folder && PeftFolder.Is(folder) ? PeftFolder.FindBase(folder) : trained.Base;
        return own with
        {
            Base = start,
            ChatTemplate = trained.ChatSource,
            BaseArchitecture = ArchitectureOf(start),
            Trained = trains is null ? own.Trained : store.Parameters.Select(parameter => parameter.Name).Where(trains.Matches).ToHashSet(),
        };
    }

    private static string? ArchitectureOf(string? path)
    {
        using ForeignModel? foreign = path is null ? null : ForeignModel.TryOpen(path);
        return foreign?.Architecture;
    }
}

/// <summary>What was written.</summary>
/// <param name="Format">For people.</param>
/// <param name="Type">Of its numbers.</param>
/// <param name="Parameters">How many numbers the model has.</param>
/// <param name="Files">The paths of its files.</param>
/// <param name="Notes">What was not written, and why.</param>
public sealed record ExportedModel(string Format, ExportType Type, long Parameters, IReadOnlyList<string> Files, IReadOnlyList<string> Notes);
