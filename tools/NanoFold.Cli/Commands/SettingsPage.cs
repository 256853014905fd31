using System.Text;
using NanoFold.Engine.Runs;

namespace NanoFold.Cli.Commands;

/// <summary>The page <c>docs/settings.md</c>.</summary>
internal static class SettingsPage
{
    /// <summary>How the page is made again.</summary>
    public const string Command = "./nanofold settings --markdown > docs/settings.md";

    /// <summary>The page of some keys, a table a section.</summary>
    public static string Of(Settings settings, IReadOnlyList<Setting> keys)
    {
        var page = new StringBuilder();
        page.Append(
            $"""
            # Settings

            Every key of a configuration, made from the sources by `{Command}`.
            `--set key=value` takes any of them; a JSON file for `--config` has one object a section.
            Where the default is `auto` or `null`, the value after the arrow is what it becomes in preset nano.
            `N` is an index of a list. `./nanofold settings GLOB` prints the same in a terminal.

            """);
        foreach (IGrouping<string, Setting> section in keys.GroupBy(setting => setting.Section))
        {
            if (section.Key.Length > 0)
            {
                string meaning = settings.Sections.FirstOrDefault(known => known.Name == section.Key).Meaning
                    ?? settings.Keys.First(setting => setting.Key == section.Key).Meaning;
                page.Append($"\n## {section.Key}\n\n{meaning}\n");
            }

            page.Append("\n| key | default | takes | meaning |\n|---|---|---|---|\n");
            foreach (Setting setting in section)
            {
                page.Append(Row(setting));
            }
        }

        return page.ToString();
    }

    private static string Row(Setting setting)
    {
        string kinds = setting.Kinds.Count > 0 ? $"<br>of {string.Join(", ", setting.Kinds.Select(kind => $"`{kind}`"))}" : "";
        string value = setting.Resolved is { } resolved ? $"`{setting.Default}` → `{resolved}`" : $"`{setting.Default}`";
        string choices = string.Concat(setting.Choices.Select(choice => $"<br>`{choice.Name}`: {Cell(choice.Meaning)}"));
        return $"| `{setting.Key}`{kinds} | {value} | {Cell(setting.Type)} | {Cell(setting.Meaning)}{choices} |\n";
    }

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);
}
