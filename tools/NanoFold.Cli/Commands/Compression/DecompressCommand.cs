using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Compression;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Compression;

/// <summary><c>decompress</c>: what <c>compress</c> wrote.</summary>
internal static class DecompressCommand
{
    public static void Build(VerbCommand command)
    {
        var file = new Argument<string>("FILE") { Description = "A file that compress wrote" };
        command.Add(file);
        Option<string?> model = command.Text("--model", "RUN", "The model that compressed it; none where it learned while it coded");
        Option<string?> adapter = command.Text("--adapter", "DIR", ModelOptions.AdapterHelp);
        Option<string?> target = command.Text("--out", "PATH", $"The file as it was; FILE without {CompressCommand.Extension} if not given");
        Option<bool> check = command.Flag("--check", "Only say whether all of the file is sound, and how it was compressed: no model is needed, nothing is written");
        command.Common = [CommonOptions.Threads];
        command.JsonKeys = "path, bytes (of the file as it was), packedBytes, tokens, tokensPerSecond, seconds; with --check path (of the compressed file), bytes, packedBytes, how";
        command.Does(invocation => invocation.Get(check) ? Check(invocation, invocation.Get(file)!) : Run(invocation, invocation.Get(file)!, invocation.Get(model), invocation.Get(adapter), invocation.Get(target)));
    }

    private static int Check(Invocation invocation, string file)
    {
        CompressedText packed = CompressedText.Read(PackedFiles.Read(file), file);
        invocation.Output.Line($"{file}: sound; {Display.Count(packed.SourceBytes, "byte")}, {packed.How}");
        invocation.Output.Result(new JsonObject { ["path"] = file, ["bytes"] = packed.SourceBytes, ["packedBytes"] = packed.PackedBytes, ["how"] = packed.How });
        return Faults.Done;
    }

    private static int Run(Invocation invocation, string file, string? model, string? adapter, string? named)
    {
        string target = named ?? UsualTarget(file);
        OutputFile.Require(target, "--out");
        CompressedText packed = CompressedText.Read(PackedFiles.Read(file), file);
        if (packed.NeedsModel && model is null)
        {
            throw UserException.Usage($"{file}: was compressed with a model; name it with --model");
        }

        if (model is null && adapter is not null)
        {
            throw UserException.Usage("--adapter: is put on a model; name that with --model");
        }

        Output output = invocation.Output;
        if (!packed.NeedsModel && model is not null)
        {
            output.Note($"--model {model}: is not needed, for {file} was compressed without one");
        }

        using Backend backend = Compressor.OpenBackend(invocation.Threads, packed.IsPortable);
        using TrainedModel? trained = packed.NeedsModel ? TrainedModel.Load(model!, backend, adapter, packed.Weights) : null;
        using var text = new MemoryStream();
        CompressionResult result = packed.Decompress(trained, backend, text, new CompressionOptions { Progress = new PackingProgress(output).Show }, invocation.Interrupt.Token);
        OutputFile.Write(target, text.WriteTo);
        string speed = result.Tokens > 0 ? $"; {Display.Count(result.Tokens, "token")} in {Display.Duration(result.Seconds)}, {Display.Short(result.Tokens / result.Seconds)} tokens/s" : "";
        output.Line($"{target}: {Display.Count(result.SourceBytes, "byte")}{speed}");
        output.Result(new JsonObject
        {
            ["path"] = target,
            ["bytes"] = result.SourceBytes,
            ["packedBytes"] = result.PackedBytes,
            ["tokens"] = result.Tokens,
            ["tokensPerSecond"] = result.Seconds > 0 ? result.Tokens / result.Seconds : null,
            ["seconds"] = result.Seconds,
        });
        return Faults.Done;
    }

    private static string UsualTarget(string file)
    {
        if (!file.EndsWith(CompressCommand.Extension, StringComparison.OrdinalIgnoreCase) || Path.GetFileName(file).Length == CompressCommand.Extension.Length)
        {
            throw UserException.Usage($"{file}: its name does not end in {CompressCommand.Extension}; name the file that is written with --out");
        }

        string target = file[..^CompressCommand.Extension.Length];
        return File.Exists(target) ? throw new UserException($"{target}: is there already; name it with --out to replace it") : target;
    }
}
