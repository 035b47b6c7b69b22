-- How healthy a resource of opensearchml.io is, for Argo CD. All kinds have the same conditions, so this is one
-- script for all of them. Argo CD runs it without Lua's standard libraries.
local found = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    found[condition.type] = condition
  end
end

local function holds(name)
  return found[name] ~= nil and found[name].status == "True"
end

local function verdict(status, condition, otherwise)
  local message = otherwise
  if condition ~= nil then
    message = condition.reason
    if condition.message ~= nil and condition.message ~= "" then
      message = condition.reason .. ": " .. condition.message
    end
  end
  return { status = status, message = message }
end

if obj.metadata.deletionTimestamp ~= nil then
  return verdict("Progressing", found["Deletable"], "Being deleted")
end
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return verdict("Progressing", nil, "The operator has not seen this version of the spec yet")
end
-- Suspended comes first: what a suspended resource would change is no failure.
if holds("Suspended") then
  return verdict("Suspended", found["Suspended"])
end
if holds("Stalled") then
  return verdict("Degraded", found["Stalled"])
end
if holds("Ready") then
  return verdict("Healthy", found["Ready"])
end
-- Also while a server cannot be reached or a Secret is missing: the operator goes on trying.
return verdict("Progressing", found["Ready"], "Waiting for the operator")
